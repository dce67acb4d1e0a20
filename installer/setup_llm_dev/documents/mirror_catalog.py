"""The mirrors that we know, kind by kind and in order, read from `manifests/catalog/mirrors.toml`."""

from datetime import date
from pathlib import Path
from typing import Literal

from setup_llm_dev.documents.catalog import read_table
from setup_llm_dev.documents.catalog_row import Row

Evidence = Literal["documented", "thread", "in-use"]
Form = Literal["simple", "flat"]


class MirrorRow(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mirror. `url` stands where the official root stands; `form` is how a torch mirror lists its files.

    api: a mirror of the hub may be another hub altogether, which has the models under ids of its own.
    """

    name: str
    url: str
    evidence: Evidence
    seen: str
    form: Form = "simple"
    api: Literal["hub", "modelscope"] = "hub"


class KindRow(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`official` is the maker's root, "" for the package index: uv knows its own default.

    probe: what is asked below a root, the official or a mirror's. origins: hosts that a mirror must not send to.
    """

    official: str
    probe: str
    origins: tuple[str, ...] = ()
    mirrors: tuple[MirrorRow, ...] = ()


class MirrorCatalog(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seconds` is how long a probe may take."""

    schema: Literal[1]
    collected: date
    seconds: float
    kinds: dict[str, KindRow]


def read_mirrors(folder: Path) -> MirrorCatalog:
    """From the folder that holds mirrors.toml; raises UsageError naming file and key."""
    return read_table(folder / "mirrors.toml", MirrorCatalog)
