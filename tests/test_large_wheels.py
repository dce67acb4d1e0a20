"""Wheels without a size in their lock: who is asked for it is who they would be fetched from."""

from pathlib import Path

from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.web.carriers import Mirror
from setup_llm_dev.steps.large_wheels import large_wheels
from tests.ground import scratch_host
from tests.upstream.exchange import Response
from tests.upstream.server import Upstream

PLACE = f"packages/ab/cd/{'0' * 60}/fat-1.0-py3-none-any.whl"


def pylock(url: str) -> str:
    return f"""\
lock-version = "1.0"
created-by = "test"
[[packages]]
name = "fat"
version = "1.0"
wheels = [{{ url = "{url}/{PLACE}", hashes = {{ sha256 = "{"0" * 64}" }} }}]
"""


def test_a_size_that_is_not_told_is_asked_of_the_mirror_that_was_turned_to(tmp_path: Path) -> None:
    host = scratch_host(tmp_path, {"SETUP_LLM_DEV_LARGE_BYTES": "1000"})
    with Upstream(lambda _: Response(body=bytes(1000))) as mirror, Upstream(lambda _: Response(503)) as maker:
        turned = Surroundings(spares=(Mirror("pypi", f"{mirror.url}/simple"),))
        found = large_wheels(host, pylock(maker.url), turned)
        assert [wheel.name for wheel in found] == ["fat"]
        assert [(request.method, request.path) for request in mirror.log] == [("HEAD", f"/{PLACE}")]
        assert list(maker.log) == []
