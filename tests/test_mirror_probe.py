"""What a mirror's page may lead a look at it to."""

import pytest

from setup_llm_dev.host.web.peek import Peek
from setup_llm_dev.stages.mirror_probe import first_file


@pytest.mark.parametrize(
    ("here", "there", "end"),
    [
        ("https://1.1.1.1/simple/pip/", "../../files/pip.whl#sha256=00", "https://1.1.1.1/files/pip.whl"),
        ("http://1.1.1.1/simple/pip/", "https://8.8.8.8/pip.whl", "https://8.8.8.8/pip.whl"),
        ("http://127.0.0.1:1/simple/pip/", "http://127.0.0.1:2/pip.whl", "http://127.0.0.1:2/pip.whl"),
        ("https://1.1.1.1/simple/pip/", "http://1.1.1.1/pip.whl", None),
        ("https://1.1.1.1/simple/pip/", "https://169.254.169.254/pip.whl", None),
        ("https://1.1.1.1/simple/pip/", "https://127.0.0.1/pip.whl", None),
        ("https://1.1.1.1/simple/pip/", "file:///etc/pip.whl", None),
        ("https://1.1.1.1/simple/pip/", "https://[::1/pip.whl", None),
        ("https://1.1.1.1/simple/pip/", "README.html", None),
    ],
)
def test_a_page_leads_no_further_than_a_redirect(here: str, there: str, end: str | None) -> None:
    body = f'<a name="top"></a><a href="..">up</a><a href="{there}">a file</a>'.encode()
    assert first_file(Peek(200, here, (), "text/html", body)) == end
