"""Package indexes: which wheels each format really offers, and what is no index."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_llm_dev.errors import Unreachable
from setup_llm_dev.host.web.peek import peek
from setup_llm_dev.host.web.simple_index import Link, links, local_folder, offered
from setup_llm_dev.host.world import Host
from tests.ground import TAG, scratch_host
from tests.upstream.acts import login_page, redirect, status
from tests.upstream.exchange import Request, Response
from tests.upstream.index import Index, Section, flat, pytorch, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel, torch_wheel

GOOD = "a" * 64


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    torch_wheel(tmp_path / "w", "2.13.0", "cpu", tag=TAG)
    torch_wheel(tmp_path / "w", "2.14.1", "cpu", tag="cp313-cp313-win_amd64")
    build_wheel(tmp_path / "w", "torch-vision-ish", "1.0")
    (tmp_path / "w" / "torch-2.12.0.tar.gz").write_bytes(b"source")
    return tmp_path / "w"


@pytest.mark.parametrize("kind", ["json", "html", "flat", "folder", "file-index"])
def test_every_format_offers_the_same(host: Host, wheels: Path, tmp_path: Path, kind: str) -> None:
    sections: dict[str, Section] = {"json": simple(wheels), "html": pytorch(wheels), "flat": flat(wheels)}
    with Index(sections.get(kind, simple(wheels))) as index:
        address = index.address(sections[kind].prefix) if kind in sections else str(wheels)
        if kind == "file-index":
            page = tmp_path / "site" / "torch"
            page.mkdir(parents=True)
            rows = "".join(f'<a href="../../{p.name.replace("+", "%2B")}">x</a>' for p in wheels.iterdir())
            (page / "index.html").write_text(rows)
            address = (tmp_path / "site").as_uri()
        found = offered(host, address, "Torch", flat=kind in ("flat", "folder"))
    assert {str(version) for version, _ in found} == {"2.13.0+cpu", "2.14.1+cpu"}
    assert any(str(tag) == TAG for _, tags in found for tag in tags)


def page(body: str, media_type: str = "text/html") -> Upstream:
    return Upstream(lambda request: Response(headers={"Content-Type": media_type}, body=body.encode()))


def found_on(host: Host, body: str, media_type: str = "text/html") -> tuple[Link, ...]:
    with page(body, media_type) as server:
        return links(host, server.url, "torch", flat=False)


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        (f"torch-1-py3-none-any.whl#sha256={GOOD}", Link("torch-1-py3-none-any.whl", GOOD)),
        (
            f"//elsewhere/x/torch-1%2Bcpu-py3-none-any.whl#sha256={GOOD.upper()}",
            Link("torch-1+cpu-py3-none-any.whl", GOOD),
        ),
        ("torch-1-py3-none-any.whl", Link("torch-1-py3-none-any.whl")),
        ("torch-1-py3-none-any.whl#md5=" + "a" * 32, Link("torch-1-py3-none-any.whl")),
        ("torch-1-py3-none-any.whl#sha256=" + "a" * 63, Link("torch-1-py3-none-any.whl")),
        ("torch-1-py3-none-any.whl#sha256=" + "g" * 64, Link("torch-1-py3-none-any.whl")),
        ("torch-1-py3-none-any.whl?token=1#sha256=" + GOOD, Link("torch-1-py3-none-any.whl", GOOD)),
    ],
)
def test_what_a_link_says(host: Host, href: str, expected: Link) -> None:
    assert found_on(host, f"<html><a href='{href}'>any text</a></html>") == (expected,)


def test_a_json_page_with_and_without_hashes(host: Host) -> None:
    rows = [
        {"filename": "torch-1-py3-none-any.whl", "url": "x", "hashes": {"sha256": GOOD}},
        {"filename": "torch-2-py3-none-any.whl", "url": "x", "hashes": {"md5": "0"}},
        {"filename": "torch-3-py3-none-any.whl", "url": "x"},
    ]
    found = found_on(host, json.dumps({"files": rows}), "application/vnd.pypi.simple.v1+json")
    assert [link.sha256 for link in found] == [GOOD, None, None]


@pytest.mark.parametrize("body", ["", "{", "[]", "7", '{"files": 3}', '{"files": [{"url": "x"}]}', '{"files": ["x"]}'])
def test_json_that_is_no_index_is_unreachable_not_a_traceback(host: Host, body: str) -> None:
    with pytest.raises(Unreachable) as error:
        found_on(host, body, "application/json")
    assert "no package index" in str(error.value)


def test_a_page_without_files_offers_nothing_and_a_log_in_page_is_named(host: Host, wheels: Path) -> None:
    assert found_on(host, "<html><body>nothing</body></html>") == ()
    with Index(simple(wheels)) as index:
        index.fault("*", login_page(), times=None)
        with pytest.raises(Unreachable) as error:
            links(host, index.address(), "torch", flat=False)
    assert index.url in str(error.value)
    assert "log-in" in str(error.value.hint)


def test_missing_is_not_unreachable(host: Host, wheels: Path) -> None:
    with Index(simple(wheels)) as index:
        assert offered(host, index.address(), "nothing", flat=False) == ()
        index.fault("*", status(410))
        assert offered(host, index.address(), "torch", flat=False) == ()
        index.fault("*", status(403), times=None)
        with pytest.raises(Unreachable) as error:
            offered(host, index.address(), "torch", flat=False)
        assert error.value.status == 403


def test_a_folder_that_is_not_there_offers_nothing(host: Host, tmp_path: Path) -> None:
    assert offered(host, str(tmp_path / "none"), "torch", flat=True) == ()
    assert offered(host, (tmp_path / "none").as_uri(), "torch", flat=False) == ()


def test_which_indexes_lie_on_this_machine() -> None:
    assert local_folder("/opt/wheels") == Path("/opt/wheels")
    assert local_folder("file:///opt/with%20space") == Path("/opt/with space")
    assert local_folder("https://host/simple") is None


@pytest.fixture
def slow_page() -> Iterator[Upstream]:
    """A page of many links, to be read whole."""
    body = "".join(f'<a href="torch-{n}-py3-none-any.whl">x</a>' for n in range(20_000))

    def answer(request: Request) -> Response:
        return Response(headers={"Content-Type": "text/html"}, body=body.encode())

    with Upstream(answer) as server:
        yield server


def test_a_long_page_is_read_to_its_end(host: Host, slow_page: Upstream) -> None:
    assert len(links(host, slow_page.url, "torch", flat=False)) == 20_000


@pytest.mark.parametrize(
    "odd", ['<a href="http://[x">x</a>', '<a href="//[::1/a.whl">x</a>', "<a>x</a>", '<a href="#">x</a>']
)
def test_a_link_that_is_no_address_is_passed_over(host: Host, odd: str) -> None:
    assert found_on(host, f'{odd}<a href="t-1.whl">y</a>') == (Link("t-1.whl"),)


def test_a_page_counts_up_to_where_it_is_no_page_any_more(host: Host) -> None:
    assert Link("t-1.whl") in found_on(host, '<a href="t-1.whl">y</a><![foo[bar]]>')


def test_a_document_nested_without_end_is_no_index(host: Host) -> None:
    with pytest.raises(Unreachable, match="no package index"):
        found_on(host, "[" * 100_000, "application/vnd.pypi.simple.v1+json")


def test_a_look_that_is_sent_where_we_do_not_go_finds_nothing(host: Host) -> None:
    with page("") as server:
        server.fault("/", redirect("ftp://127.0.0.1/"), times=None)
        assert peek(host, f"{server.url}/", most=10, seconds=5.0) is None
