"""A small world of makers and mirrors on loopback, and the catalogue of mirrors that names them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from setup_llm_dev.documents.mirror_catalog import KindRow, MirrorCatalog, MirrorRow
from tests.upstream.acts import Act
from tests.upstream.exchange import Request, Response
from tests.upstream.hub import Hub
from tests.upstream.index import Index, Section, flat, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import build_wheel, torch_wheel

CLOSED = "http://127.0.0.1:9"  # discard: nobody listens there
MODEL = "google-bert/bert-base-uncased"
GZIP = b"\x1f\x8b\x08\x00 and the rest of an archive"
SILENT = Act(delay=3600.0)


def row(name: str, url: str, form: str = "simple", api: str = "hub") -> MirrorRow:
    """As it stands in the catalogue."""
    return MirrorRow(name=name, url=url, evidence="in-use", seen="a test", form=form, api=api)  # type: ignore[arg-type]


def catalogue(seconds: float = 1.0, **kinds: KindRow) -> MirrorCatalog:
    """One with these kinds alone."""
    return MirrorCatalog(schema=1, collected=date(2026, 11, 21), seconds=seconds, kinds=kinds)


def torch_kind(official: str, *mirrors: MirrorRow, origins: tuple[str, ...] = ()) -> KindRow:
    return KindRow(official=official, probe="cpu/torch/", origins=origins, mirrors=mirrors)


@dataclass(frozen=True)
class Wheels:
    """Two folders of tiny wheels."""

    torch: Path
    packages: Path


def wheels(folder: Path) -> Wheels:
    """torch for Linux as `cpu`, and a `pip`."""
    torch, packages = folder / "torch", folder / "packages"
    torch_wheel(torch, "2.13.0", "cpu")
    build_wheel(packages, "pip", "26.0")
    return Wheels(torch, packages)


def torch_mirror(folder: Path, *, hashes: bool = True) -> Index:
    """A mirror with pages and files on one host, as those in China are."""
    return Index(Section("/whl/cpu", folder, hashes=hashes, python=False, json=False))


def flat_mirror(folder: Path) -> Index:
    return Index(flat(folder, "/pytorch-wheels/cpu"))


def package_mirror(folder: Path) -> Index:
    return Index(simple(folder))


@contextmanager
def downloads(body: bytes = GZIP) -> Iterator[Upstream]:
    """A host that gives one archive, whatever is asked."""

    def answer(request: Request) -> Response:
        return Response(headers={"Content-Type": "application/octet-stream"}, body=body, ranges=True)

    with Upstream(answer) as server:
        yield server


def hub() -> Hub:
    return Hub({MODEL: {"config.json": b"{}", "model.safetensors": b"weights"}})
