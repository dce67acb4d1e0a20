"""The first run behind the firewall, by the real command: mirrors lie, die and send back, and it ends well, or clearly.

Each story runs in a world of its own (see china_world.py), all at once, since most of their time is waiting.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e import netns
from tests.e2e.china_ground import LIAR, MODEL, Ground, lay
from tests.e2e.china_world import (
    ALIYUN,
    HUB,
    HUB_FILES,
    HUB_MAKER,
    HUB_MAKER_FILES,
    JETBRAINS,
    JETBRAINS_MAKER,
    NAMES,
    NJU,
    SCOPE_FILES,
    SJTU,
    STORIES,
    TORCH_MAKER,
    TUNA,
)
from tests.e2e.toy import PYCHARM
from tests.oracle import done_holds, files_with

pytestmark = pytest.mark.skipif(netns.why_not() is not None, reason=str(netns.why_not()))


@dataclass(frozen=True)
class Run:
    """One command of a story."""

    code: int
    out: str
    err: str
    asked: dict[str, list[tuple[str, str, int]]]
    token: list[str]

    def got(self, host: str, part: str) -> list[int]:
        """Bytes of every GET of a host whose path has a part, but for the looks of four bytes."""
        rows = self.asked[host]
        return [sent for method, path, sent in rows if method == "GET" and path.endswith(part) and sent != 4]

    @property
    def total(self) -> int:
        return sum(map(len, self.asked.values()))


@dataclass(frozen=True)
class Told:
    """A story that has ended, and the home that it left."""

    home: Path
    runs: tuple[Run, ...]

    @property
    def workspace(self) -> Path:
        return self.home / "llm-dev" / "toy"

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "setup-llm-dev"


Story = Callable[[str], Told]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return lay(tmp_path_factory.mktemp("china"))


@pytest.fixture(scope="module")
def story(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """`story(name)`: what came of it."""
    trust = tmp_path_factory.mktemp("trust")
    netns.authority(trust, NAMES)
    homes = {name: tmp_path_factory.mktemp(name) for name in STORIES}

    def tell(name: str) -> Told:
        place = homes[name]
        said = netns.run(
            place / "etc", netns.addresses(NAMES), sys.executable, "-m", "tests.e2e.china_world",
            ground.folder, trust, place / "home", name, timeout=300,
        )  # fmt: skip
        return Told(place / "home", tuple(Run(**run) for run in json.loads(said)))

    with ThreadPoolExecutor(len(STORIES)) as pool:
        told: dict[str, Future[Told]] = {name: pool.submit(tell, name) for name in STORIES}
        yield lambda name: told[name].result()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def bytes_are_right(told: Told, ground: Ground) -> None:
    """By the originals' own hashes: every wheel's files, the model, and no word of the liar anywhere."""
    assert done_holds(told.workspace) == []
    packages = next(told.workspace.glob(".venv/lib/python3.*/site-packages"))
    assert sha256(packages / "torch/lib/bulk.bin") == hashlib.sha256(bulk(ground, ground.torch)).hexdigest()
    snapshot = Path(next(told.home.glob(f".cache/huggingface/hub/models--{MODEL.replace('/', '--')}/snapshots/*")))
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == ground.model
    no_word_of_the_liar(told, ground)


def no_word_of_the_liar(told: Told, ground: Ground, *, but_for: str | None = None) -> None:
    lie = bulk(ground, ground.lies)[1_000_000:1_000_064]
    assert lie in ground.wheel(ground.lies).read_bytes(), "or nothing could be found"
    found = files_with(told.home, lie)
    assert [path for path in found if but_for is None or not path.startswith(but_for)] == []


def bulk(ground: Ground, folder: Path) -> bytes:
    with zipfile.ZipFile(ground.wheel(folder)) as archive:
        return archive.read("torch/lib/bulk.bin")


def size(folder: Path, ground: Ground) -> int:
    return ground.wheel(folder).stat().st_size


# the first run, with mirrors that are as bad as they come ------------------------------------------------------


def test_the_first_run_ends_well(story: Story, ground: Ground) -> None:
    told = story("spoiled")
    assert told.runs[0].code == 0, told.runs[0].out + told.runs[0].err
    bytes_are_right(told, ground)
    ide = told.data / "ide" / f"pycharm-{PYCHARM}"
    assert json.loads((ide / "product-info.json").read_text())["version"] == PYCHARM


def test_each_turn_is_said_and_kept(story: Story) -> None:
    """By the catalogue's hashes all bytes are vouched for, so there is no gap; of packages it says whose word it is."""
    told = story("spoiled")
    first = told.runs[0]
    for text in (
        f"the default package index does not answer; the mirror https://{TUNA}/simple is used",
        "the hashes of packages are that mirror's word alone",
        f"the index of PyTorch does not answer; the mirror https://{LIAR}/whl is used",
        f"the mirror {LIAR} says sha256",
        f"the hub of models does not answer; the mirror https://{HUB} is used",
        f"the download host of JetBrains does not answer; the mirror https://{JETBRAINS} is used",
        f"PyCharm {PYCHARM} is taken, since its hash is known here",
    ):
        assert text in first.err, text
    report = json.loads(told.runs[1].out)
    assert (report["verdict"], report["gaps"]) == ("pass", [])


def test_who_lies_or_dies_costs_a_retry_elsewhere(story: Story, ground: Ground) -> None:
    first = story("spoiled").runs[0]
    assert size(ground.lies, ground) in first.got(LIAR, ".whl"), "asked, and not believed"
    assert 1_200_000 in first.got(SJTU, ".whl"), "it died in the middle"
    assert any(path.endswith("manylinux_2_28_x86_64.whl") for _, path, _ in first.asked[ALIYUN])
    assert first.got(NJU, ".whl") == [0], "one look; it sends back to the maker"
    assert 500 in first.got(TUNA, "none-any.whl"), "a small wheel broke off"
    assert first.got(ALIYUN, "tiny_one-1.0-py3-none-any.whl") == [
        (ground.packages / "tiny_one-1.0-py3-none-any.whl").stat().st_size
    ]
    assert sum(map(len, (first.asked[HUB_FILES], first.asked[SCOPE_FILES]))) == 2, "the hub's weights are flipped"


def test_no_mirror_that_we_chose_sees_the_token(story: Story) -> None:
    for name in STORIES:
        assert [run.token for run in story(name).runs if run.token] == []


def test_the_second_run_changes_nothing_and_asks_nobody(story: Story) -> None:
    second = story("spoiled").runs[1]
    assert second.code == 0
    assert json.loads(second.out)["changed"] is False
    assert second.total == 0, second.asked


def test_a_stored_lock_outlives_the_mirrors_that_it_was_made_with(story: Story, ground: Ground) -> None:
    """All that was fetched is gone, and so are the mirrors whose addresses stand in the lock."""
    told = story("spoiled")
    third = told.runs[2]
    assert third.code == 0, third.out + third.err
    assert f"https://{SJTU}" in (told.workspace / "pylock.toy.toml").read_text()
    assert size(ground.torch, ground) in third.got(NJU, ".whl")
    bytes_are_right(told, ground)


# when nobody can be believed, nobody is wanted, or only the makers are good ------------------------------------


def test_where_all_lie_nothing_is_installed(story: Story, ground: Ground) -> None:
    told = story("lies")
    pages, data = told.runs
    assert (pages.code, data.code) == (5, 5), pages.err + data.err
    assert "which is not the known" in pages.err
    assert "that mirror is out of date, or somebody tampered with it" in pages.err
    assert "is not what it should be: its hash is" in data.out
    assert not (told.workspace / ".venv").exists()
    assert not (told.workspace / ".venv").is_symlink()
    assert list(told.data.glob("environments/*/*/generation.json")) == []
    assert not list(told.data.glob("ide/pycharm-*"))
    assert list(told.home.glob(".cache/huggingface/hub/models--*/snapshots/*/model.safetensors")) == []
    # Of a page without hashes uv itself computes them, in a cache of its own, which compares before it gives.
    no_word_of_the_liar(told, ground, but_for=".cache/uv/")


def test_where_all_lie_the_lie_is_told_of_and_not_the_makers_silence(story: Story) -> None:
    _, data = story("lies").runs
    wrong = data.out.partition("What went wrong")[2].partition("what to do")[0]
    for name in ("packages", "model", "ide"):
        line = next(line for line in wrong.splitlines() if line.split()[:1] == [name])
        assert "is not what it should be" in line


def test_who_wants_no_mirror_asks_none(story: Story) -> None:
    told = story("nobody")
    (run,) = told.runs
    assert run.code == 4
    assert f"no connection to {TORCH_MAKER}" in run.err
    assert run.total == 0, run.asked
    assert not told.workspace.exists()


def test_with_the_preset_for_china_makers_are_asked_last(story: Story, ground: Ground) -> None:
    """Of a maker with good mirrors: only which wheels it has; with bad ones: what they could not give."""
    told = story("makers_last")
    good, bad = told.runs
    assert (good.code, bad.code) == (0, 0), good.err + bad.err
    assert "is asked first (preset cn)" in good.err
    assert f"; the mirror https://{ALIYUN}/pypi/simple is used" in good.err, "TUNA died while the lock was made"
    assert f"https://{SJTU}/" in (told.workspace / "pylock.toy.toml").read_text(), "and Nanjing as well"
    questions = [line for line in good.err.splitlines() if line.startswith("asking https://") and "for torch" in line]
    assert TORCH_MAKER in questions[-1]
    for maker in (TORCH_MAKER, HUB_MAKER, HUB_MAKER_FILES, JETBRAINS_MAKER):
        assert {path for method, path, _ in good.asked[maker] if method == "GET"} <= {"/whl/cpu/torch/"}
    assert size(ground.lies, ground) in bad.got(LIAR, ".whl")
    assert size(ground.torch, ground) in bad.got(NJU, ".whl")
    assert size(ground.torch, ground) in bad.got(TORCH_MAKER, ".whl")
    assert bad.got(HUB_MAKER_FILES, "") == [len(ground.model["model.safetensors"])]
    bytes_are_right(told, ground)
