"""InstallIde on real parts: a generated PyCharm with the real layout, real files, real processes, real kills."""

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

import msgspec
import pytest

from setup_llm_dev.components.pycharm_install import ide_steps
from setup_llm_dev.documents.events import Applied, Failed, Skipped
from setup_llm_dev.documents.journal import Receipt
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.documents.lock import ArchiveIdeLock
from setup_llm_dev.documents.machine import Machine
from setup_llm_dev.documents.transfer import Limits
from setup_llm_dev.errors import Busy, Corrupt, Refused, SetupError, Unreachable
from setup_llm_dev.host.archives.extract import extracting
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.transfer.store import Store
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message
from setup_llm_dev.stages.execute import execute
from setup_llm_dev.steps.ide import Follower, InstallIde
from setup_llm_dev.steps.ide_tree import keep_aside, place_aside, places_aside, read_facts, sweep_ides
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from tests.ground import layout_in, scratch_host
from tests.upstream.acts import cut, slow, status
from tests.upstream.ide_archive import pycharm_archive
from tests.upstream.jetbrains import JetBrains

ROOT = Path(__file__).resolve().parent.parent
VERSION, BUILD = "2026.3.1", "263.8665.41"
PATH = f"/python/pycharm-{VERSION}.tar.gz"


@dataclass
class Bench:
    """A home, a lock of one archive, and the step for it; nothing is served: the archive is in the store already."""

    host: Host
    layout: Layout
    archive: bytes
    url: str = "http://127.0.0.1:9" + PATH

    @property
    def lock(self) -> ArchiveIdeLock:
        return lock_of(self.archive, url=self.url)

    @property
    def step(self) -> InstallIde:
        return step_of(self.layout, self.lock)

    @property
    def home(self) -> Path:
        return Path(self.step.folder)

    def stored(self, archive: bytes | None = None) -> Path:
        """Put an archive where verified bytes are."""
        data = self.archive if archive is None else archive
        place = Path(Store(self.host.files, self.layout.store).place(sha256(data).hexdigest()))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place

    def quick(self) -> "Bench":
        """The same, with little patience."""
        limits = Limits(tries=2, backoff_seconds=0.01)
        fetcher = Fetcher(self.host.environment, self.host.cancel, self.host.files, limits)
        self.host = replace(self.host, fetcher=lambda: fetcher)
        return self

    def install(self) -> InstallIde:
        self.stored()
        self.step.apply(self.host, silent)
        return self.step


def lock_of(archive: bytes, **changed: Any) -> ArchiveIdeLock:
    lock = ArchiveIdeLock(
        version=VERSION,
        build=BUILD,
        settings_name="PyCharm2026.3",
        file_name=f"pycharm-{VERSION}.tar.gz",
        url="",
        sha256=sha256(archive).hexdigest(),
        size=len(archive),
    )
    return msgspec.structs.replace(lock, **changed)


def step_of(layout: Layout, lock: ArchiveIdeLock) -> InstallIde:
    folder = layout.ides / f"pycharm-{lock.version}"
    return InstallIde(lock, "linux", "x86_64", folder, layout.store, layout.config)


def tree(folder: Path) -> dict[str, str]:
    """Every file and link with its mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = f"{path.stat().st_mode & 0o777:o} {sha256(path.read_bytes()).hexdigest()}"
    return found


def why(step: InstallIde, host: Host) -> str:
    answer = step.check(host)
    assert isinstance(answer, Unsatisfied)
    return str(answer.why)


@pytest.fixture(scope="session")
def archive() -> bytes:
    return pycharm_archive(VERSION, BUILD)


@pytest.fixture
def bench(tmp_path: Path, archive: bytes) -> Bench:
    return Bench(scratch_host(tmp_path / "home"), layout_in(tmp_path), archive)


# whole ----------------------------------------------------------------------------------------------------


def test_it_is_unpacked_beside_earlier_versions_and_the_archive_goes(bench: Bench) -> None:
    earlier = Path(bench.layout.ides) / "pycharm-2026.2.1"
    earlier.mkdir(parents=True)
    (earlier / "mine").write_text("mine")
    assert "not installed" in why(bench.step, bench.host)
    place = bench.stored()
    receipt = bench.step.apply(bench.host, silent)
    assert receipt["launcher"] == "bin/pycharm"
    assert isinstance(bench.step.check(bench.host), Satisfied)
    assert isinstance(bench.step.prove(bench.host, full=True), Satisfied)
    assert json.loads((bench.home / "product-info.json").read_text())["buildNumber"] == BUILD
    assert os.readlink(bench.home / "jbr/lib/server/libjvm.so") == "../libjvm.so"
    assert os.access(bench.home / "bin/pycharm", os.X_OK)
    assert not place.exists()
    assert sorted(os.listdir(bench.layout.ides)) == ["pycharm-2026.2.1", bench.home.name, f"{bench.home.name}.json"]
    assert tree(earlier) == {"mine": tree(earlier)["mine"]}


def test_undo_takes_it_away_once_and_twice_with_and_without_a_receipt(bench: Bench) -> None:
    for receipt in ({}, {"folder": "x"}):
        step = InstallIde.from_record(json.loads(json.dumps(bench.install().record())))
        assert step == bench.step
        assert step.undo(bench.host, receipt) == ()
        assert not Path(bench.layout.ides).exists()
        assert step.undo(bench.host, receipt) == ()


# drift ----------------------------------------------------------------------------------------------------


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def _relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("path", "damage", "what"),
    [
        ("lib/app.jar", Path.unlink, "missing"),
        ("lib/app.jar", _empty, "empty"),
        ("lib/app.jar", _other, "changed"),
        ("lib/app.jar", _folder, "changed"),
        ("lib/app.jar", _relink, "changed"),
        ("jbr/lib/server/libjvm.so", _relink, "changed"),
        ("jbr/lib/server/libjvm.so", Path.unlink, "missing"),
        ("bin/pycharm", lambda path: path.chmod(0o644), "not executable"),
        ("bin/pycharm64.vmoptions", Path.unlink, "missing"),
        ("product-info.json", _empty, "empty"),
    ],
)
def test_damage_is_named_and_made_good(bench: Bench, path: str, damage: Callable[[Path], None], what: str) -> None:
    step = bench.install()
    whole = tree(bench.home)
    damage(bench.home / path)
    assert f"{path} ({what})" in why(step, bench.host)
    bench.stored()
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)
    assert tree(bench.home) == whole
    assert sorted(os.listdir(bench.layout.ides)) == [bench.home.name, f"{bench.home.name}.json"]


def test_a_tree_that_is_gone_is_made_anew(bench: Bench) -> None:
    step = bench.install()
    shutil.rmtree(bench.home)
    assert "not installed" in why(step, bench.host)
    bench.stored()
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)


def test_the_fast_check_trusts_an_untouched_stat_and_the_full_one_reads_every_byte(bench: Bench) -> None:
    step = bench.install()
    place = bench.home / "lib/app.jar"
    before = place.stat()
    with place.open("r+b") as stream:
        stream.write(b"\0\0\0\0")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(step.check(bench.host), Satisfied)
    full = step.prove(bench.host, full=True)
    assert isinstance(full, Unsatisfied)
    assert "lib/app.jar (changed)" in str(full.why)


def test_another_archive_of_the_same_version_is_another_ide(bench: Bench) -> None:
    bench.install()
    bench.archive = pycharm_archive(VERSION, BUILD, stubs=3)
    assert "another archive" in why(bench.step, bench.host)
    bench.install()
    assert isinstance(bench.step.check(bench.host), Satisfied)
    assert len(list(bench.home.rglob("stubs/package-*"))) == 3


def test_damage_in_the_store_is_not_unpacked(bench: Bench) -> None:
    """Nothing is published of bytes that went bad on the disk; the download that follows finds nobody here."""
    place = bench.stored()
    place.write_bytes(bench.archive[:-4096] + bytes(4096))
    with pytest.raises(SetupError) as error:
        bench.quick().step.apply(bench.host, silent)
    assert error.value.exit_code == 4
    assert not bench.home.exists()
    assert not place.exists()


# what is the user's ---------------------------------------------------------------------------------------


def test_files_of_the_user_are_no_drift_and_stay_when_it_is_undone(bench: Bench) -> None:
    step = bench.install()
    (bench.home / "plugins/mine").mkdir()
    (bench.home / "plugins/mine/notes.txt").write_text("mine")
    (bench.home / "bin/pycharm64.vmoptions").write_text("-Xmx6g\n")
    caches = bench.home / "plugins/python/helpers/pydev/__pycache__"
    caches.mkdir()
    (caches / "pydevd.cpython-312.pyc").write_bytes(b"\0")
    assert isinstance(step.check(bench.host), Satisfied)
    (left,) = step.undo(bench.host, {})
    assert "plugins/mine/notes.txt" in str(left)
    assert "bin/pycharm64.vmoptions" in str(left)
    assert "pycache" not in str(left)
    assert sorted(tree(bench.home)) == ["bin/pycharm64.vmoptions", "plugins/mine/notes.txt"]
    assert not Path(step.facts).exists()


def test_files_of_the_user_outlive_the_mending(bench: Bench) -> None:
    step = bench.install()
    (bench.home / "plugins/mine").mkdir()
    (bench.home / "plugins/mine/notes.txt").write_text("mine")
    (bench.home / "bin/pycharm64.vmoptions").write_text("-Xmx6g\n")
    (bench.home / "lib/app.jar").unlink()
    bench.stored()
    step.apply(bench.host, silent)
    kept = bench.home.with_name(f"{bench.home.name}.kept")
    assert (kept / "plugins/mine/notes.txt").read_text() == "mine"
    assert (kept / "bin/pycharm64.vmoptions").read_text() == "-Xmx6g\n"
    assert "plugins/mine/notes.txt" not in tree(bench.home)
    assert isinstance(step.check(bench.host), Satisfied)
    assert step.undo(bench.host, {}) == ()
    assert (kept / "plugins/mine/notes.txt").read_text() == "mine"


def _mend_with(bench: Bench, mark: str) -> Receipt:
    """The user puts something in, something else breaks, and the tree is made anew."""
    (bench.home / "bin/pycharm64.vmoptions").write_text(mark)
    (bench.home / "bin/mine.txt").write_text(mark)
    (bench.home / "lib/app.jar").write_bytes(b"damaged")
    place = str(place_aside(bench.host, bench.home))
    told = why(bench.step, bench.host)
    assert f"moves to {place}: bin/mine.txt, bin/pycharm64.vmoptions" in told, "the plan says so"
    bench.stored()
    receipt = bench.step.apply(bench.host, silent)
    assert receipt["kept"] == place
    assert isinstance(bench.step.prove(bench.host, full=True), Satisfied)
    return receipt


def test_what_an_earlier_mending_kept_is_never_lost(bench: Bench) -> None:
    bench.install()
    kept = [_mend_with(bench, mark)["kept"] for mark in ("first", "second", "third")]
    assert kept == [f"{bench.home}.kept{end}" for end in ("", "-2", "-3")]
    for place, mark in zip(kept, ("first", "second", "third"), strict=True):
        assert (Path(place) / "bin/mine.txt").read_text() == mark
        assert (Path(place) / "bin/pycharm64.vmoptions").read_text() == mark
    assert [str(place) for place in places_aside(bench.host, bench.home)] == kept


@pytest.mark.parametrize("name", ["mine.txt", "bin/pycharm64.vmoptions"])
def test_a_file_of_the_users_that_became_a_folder_is_kept_too(bench: Bench, name: str) -> None:
    bench.install()
    for mark in ("file", "folder"):
        place = bench.home / name
        if mark == "folder":
            place.unlink(missing_ok=True)
            place.mkdir()
            place = place / "inside.txt"
        place.write_text(mark)
        (bench.home / "lib/app.jar").write_bytes(b"damaged")
        bench.stored()
        bench.step.apply(bench.host, silent)
        assert isinstance(bench.step.check(bench.host), Satisfied)
    assert (Path(f"{bench.home}.kept") / name).read_text() == "file"
    assert (Path(f"{bench.home}.kept-2") / name / "inside.txt").read_text() == "folder"


def test_all_that_is_kept_moves_or_nothing(bench: Bench) -> None:
    """Something on the way is in the way: what had moved already comes back, and the next run can go on."""
    bench.install()
    for name in ("a.txt", "b.txt"):
        (bench.home / name).write_text(name)
    before = tree(bench.home)

    class Full(Files):
        def rename(self, path: PurePath, target: PurePath) -> None:
            if path.name == "b.txt":
                raise OSError(errno.ENOSPC, "full", str(target))
            super().rename(path, target)

    facts = read_facts(bench.host, bench.step.facts)
    assert facts is not None
    with pytest.raises(OSError, match="full"):
        keep_aside(replace(bench.host, files=Full()), bench.home, facts.tree)
    assert tree(bench.home) == before
    assert not Path(f"{bench.home}.kept").exists()
    assert keep_aside(bench.host, bench.home, facts.tree) == Path(f"{bench.home}.kept")
    assert sorted(tree(Path(f"{bench.home}.kept"))) == ["a.txt", "b.txt"]


def test_a_link_to_a_folder_counts_as_something_kept(bench: Bench, tmp_path: Path) -> None:
    bench.install()
    kept = Path(f"{bench.home}.kept")
    kept.mkdir()
    assert place_aside(bench.host, bench.home) == kept, "an empty one is what a killed run left"
    (kept / "mine").symlink_to(tmp_path)
    assert place_aside(bench.host, bench.home) == Path(f"{bench.home}.kept-2")


def test_a_foreign_folder_of_that_name_is_refused_and_left(bench: Bench) -> None:
    bench.home.mkdir(parents=True)
    (bench.home / "thesis.txt").write_text("mine")
    bench.stored()
    with pytest.raises(Refused) as error:
        bench.step.apply(bench.host, silent)
    assert str(bench.home) in str(error.value)
    assert "move it away" in str(error.value.hint)
    (left,) = bench.step.undo(bench.host, {})
    assert str(bench.home) in str(left)
    assert (bench.home / "thesis.txt").read_text() == "mine"


def test_an_ide_that_updated_itself_is_the_users(bench: Bench) -> None:
    step = bench.install()
    info = bench.home / "product-info.json"
    info.write_text(info.read_text().replace(VERSION, "2026.3.2"))
    (bench.home / "lib/app.jar").write_bytes(b"newer")
    assert isinstance(step.check(bench.host), Satisfied)
    (left,) = step.undo(bench.host, {})
    assert "updated itself" in str(left)
    assert (bench.home / "lib/app.jar").read_bytes() == b"newer"


@pytest.mark.parametrize("facts", ["whole", "damaged"])
def test_an_ide_that_updated_itself_is_not_replaced_by_another_archive(bench: Bench, facts: str) -> None:
    step = bench.install()
    info = bench.home / "product-info.json"
    info.write_text(info.read_text().replace(VERSION, "2026.4.1"))
    (bench.home / "lib/new.jar").write_bytes(b"newer")
    if facts == "damaged":
        Path(step.facts).write_bytes(b"{")
    before = tree(bench.home)
    bench.archive = pycharm_archive(VERSION, BUILD, stubs=3)
    bench.stored()
    assert isinstance(bench.step.check(bench.host), Unsatisfied)
    with pytest.raises(Refused) as error:
        bench.step.apply(bench.host, silent)
    assert "updated itself to 2026.4.1" in str(error.value)
    assert "--upgrade" in str(error.value.hint)
    assert tree(bench.home) == before
    assert not Path(f"{bench.home}.kept").exists()


# lies and accidents ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"version": "2026.3.9"}, "version is 2026.3.9, not 2026.3.1"),
        ({"build": "263.1.1"}, "buildNumber is 263.1.1"),
        ({"info": {"dataDirectoryName": "PyCharm2026.9"}}, "dataDirectoryName is PyCharm2026.9"),
        ({"info": {"dataDirectoryName": "../../.ssh"}}, "dataDirectoryName is ?"),
        ({"info": {"productCode": "IU"}}, "no PyCharm"),
        ({"without": ("product-info.json",)}, "no PyCharm"),
        ({"without": ("bin/pycharm",)}, "no launcher"),
        ({"arches": ("aarch64",)}, "no launcher"),
        ({"info": {"launch": [{"os": "Linux", "arch": "amd64", "launcherPath": "../../../bin/sh"}]}}, "no launcher"),
        ({"info": {"launch": [{"os": "Linux", "arch": "amd64", "launcherPath": "build.txt"}]}}, "no launcher"),
    ],
)
def test_an_archive_that_is_not_what_the_lock_says(bench: Bench, options: dict[str, Any], told: str) -> None:
    """The bytes are those of the lock: the list of releases, or a person, said something wrong of them."""
    named = {"version": VERSION, "build": BUILD, "root": "pycharm-x"}
    info = options.get("info", {})
    others = {key: value for key, value in options.items() if key != "info"}
    bench.archive = pycharm_archive(**(named | others), **info)
    with pytest.raises(Corrupt) as error:
        bench.install()
    assert told in str(error.value)
    assert not bench.home.exists()
    assert os.listdir(bench.layout.ides) == []


def test_a_lock_without_a_build_takes_what_there_is(bench: Bench) -> None:
    bench.stored()
    step = step_of(bench.layout, lock_of(bench.archive, build=None))
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)


@pytest.mark.parametrize("name", ["pycharm-2026.3.1.dmg", "pycharm-2026.3.1.exe"])
def test_an_installer_is_refused_by_its_name(bench: Bench, name: str) -> None:
    bench.stored()
    with pytest.raises(Refused) as error:
        step_of(bench.layout, lock_of(bench.archive, file_name=name)).apply(bench.host, silent)
    assert name in str(error.value)


def test_a_damaged_list_of_files_is_drift_and_undo_leaves_what_it_does_not_know(bench: Bench) -> None:
    step = bench.install()
    Path(step.facts).write_text("[{")
    assert "not installed" in why(step, bench.host)
    (left,) = step.undo(bench.host, {})
    assert str(bench.home) in str(left)
    bench.stored()
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_nothing_is_replaced_under_an_ide_that_runs(bench: Bench) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    bench.archive = pycharm_archive(VERSION, BUILD, launcher=Path(sleep).read_bytes())
    step = bench.install()
    (bench.home / "lib/app.jar").unlink()
    bench.stored()
    whole = tree(bench.home)
    with subprocess.Popen([bench.home / "bin/pycharm", "600"]) as ide:
        try:
            for verb in (lambda: step.apply(bench.host, silent), lambda: step.undo(bench.host, {})):
                with pytest.raises(Busy) as error:
                    verb()
                assert str(ide.pid) in str(error.value)
            assert tree(bench.home) == whole
        finally:
            ide.kill()
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)


# over the network -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of 24 MiB, a few requests of the transfer engine."""
    return pycharm_archive(VERSION, BUILD, bulk=24 << 20)


@pytest.fixture
def served(large: bytes) -> Iterator[JetBrains]:
    with JetBrains() as jetbrains:
        jetbrains.publish(VERSION, BUILD, {"linux": large})
        yield jetbrains


@pytest.fixture
def remote(tmp_path: Path, served: JetBrains, large: bytes) -> Bench:
    bench = Bench(scratch_host(tmp_path / "home"), layout_in(tmp_path), large)
    bench.url = f"{served.downloads_url}{PATH}"
    return bench


def test_it_streams_from_the_network_into_its_place(remote: Bench, served: JetBrains) -> None:
    told: list[float | None] = []

    def hear(done: float | None, _total: float | None, unit: str, _text: Message | None = None) -> None:
        if unit == "bytes":
            told.append(done)

    remote.step.apply(remote.host, hear)
    assert isinstance(remote.step.prove(remote.host, full=True), Satisfied)
    assert served.served(PATH) <= len(remote.archive) + (8 << 20)  # what slow connections had begun is taken over
    assert told[-1] == len(remote.archive)
    assert [path for path in Path(remote.layout.store).rglob("*") if path.is_file()] == []
    assert sorted(os.listdir(remote.layout.ides)) == [remote.home.name, f"{remote.home.name}.json"]


def test_bytes_with_another_hash_are_never_seen(remote: Bench, served: JetBrains) -> None:
    other = pycharm_archive(VERSION, BUILD, bulk=23 << 20)
    served.files[PATH] = other + bytes(len(remote.archive) - len(other))
    with pytest.raises(Corrupt) as error:
        remote.step.apply(remote.host, silent)
    assert remote.lock.sha256[:12] in str(error.value)
    assert not remote.home.exists()
    assert os.listdir(remote.layout.ides) == []


def test_what_came_before_the_line_broke_is_not_fetched_again(remote: Bench, served: JetBrains) -> None:
    served.fault("*.tar.gz", cut(6 << 20))
    served.fault("*.tar.gz", status(503), times=None)
    with pytest.raises(Unreachable):
        remote.quick().step.apply(remote.host, silent)
    assert not remote.home.exists()
    assert os.listdir(remote.layout.ides) == []
    served.heal()
    remote.step.apply(remote.host, silent)
    assert isinstance(remote.step.check(remote.host), Satisfied)
    assert served.served(PATH) <= len(remote.archive) + (8 << 20)


def test_garbage_proves_nothing_until_its_hash_is_known(bench: Bench) -> None:
    """A carrier that lies is asked no more, and the right bytes of the next one are unpacked from their beginning."""
    place = bench.stored()
    ides = Path(bench.layout.ides)
    garbage = b"<html>Please sign in</html>" * 1000
    for last, failing in ((bench.archive, False), (garbage, True)):
        with extracting("tar.gz", ides, single_root=True) as staging:
            follower = Follower(staging)
            for stream in (bench.archive[:50_000] + garbage, garbage, last):
                follower.follow(io.BytesIO(stream))
            if failing:
                with pytest.raises(Corrupt):
                    follower.finish(place)
            else:
                follower.finish(place)
                assert (staging.tree / "product-info.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_kill_while_it_streams_costs_little(remote: Bench, served: JetBrains, tmp_path: Path) -> None:
    served.fault("*.tar.gz", slow(6 << 20), times=None)
    words: list[str | Path] = [
        ROOT,
        remote.host.home,
        tmp_path / "home" / "count",
        "0",
        json.dumps(remote.step.record()),
    ]
    for part in (0.2, 0.6):
        with subprocess.Popen([sys.executable, "-I", "-B", "-c", _KILLED, *words]) as child:
            while served.served(PATH) < part * len(remote.archive) and child.poll() is None:
                time.sleep(0.01)
            child.kill()
        assert not remote.home.exists()
        assert not Path(remote.step.facts).exists()
    served.heal()
    remote.step.apply(remote.host, silent)
    assert isinstance(remote.step.prove(remote.host, full=True), Satisfied)
    assert sorted(os.listdir(remote.layout.ides)) == [remote.home.name, f"{remote.home.name}.json"]
    assert served.served(PATH) < len(remote.archive) + 2 * (9 << 20)


def _everything(home: Path) -> dict[str, str]:
    ours = ("data", "uv-cache")
    return {path: held for path, held in tree(home).items() if path.split("/")[0] not in ours}


@pytest.mark.skipif(sys.platform != "linux", reason="the command and the menus are Linux's")
def test_the_steps_of_an_ide_together_twice_and_back(remote: Bench, served: JetBrains) -> None:
    home, memory = remote.host.home, 32 << 30
    before = _everything(home.parent)
    steps = ide_steps(
        remote.lock, remote.layout, Machine(os="linux", arch="x86_64", memory_bytes=memory), optional=True,
        settings_root=home / ".config/JetBrains", programs=home / ".local/bin",
        applications=home / ".local/share/applications",
    )  # fmt: skip
    first = [type(event) for event in execute(steps, remote.host, recipe="r", run="1")]
    assert [kind for kind in first if kind in (Applied, Failed, Skipped)] == [Applied] * 4
    done = subprocess.run([home / ".local/bin/pycharm"], env={"PYCHARM_WITNESS": str(home / "told")}, timeout=30)
    assert done.returncode == 0
    assert (home / "told").read_text().startswith(str(home / ".local/bin/pycharm"))
    (home / "told").unlink()
    again = [type(event) for event in execute(steps, remote.host, recipe="r", run="2")]
    assert [kind for kind in again if kind in (Applied, Failed, Skipped)] == [Skipped] * 4
    for step in reversed(steps):
        assert step.undo(remote.host, {}) == ()
    assert _everything(home.parent) == before


def test_a_host_that_is_gone_is_forgiven_where_the_ide_is_optional(remote: Bench, served: JetBrains) -> None:
    served.fault("*.tar.gz", status(503), times=None)
    remote.quick()
    step = replace(remote.step, optional=True)
    (failed,) = [e for e in execute((step,), remote.host, recipe="r", run="1") if isinstance(e, Failed)]
    assert failed.forgiven
    (failed,) = [e for e in execute((remote.step,), remote.host, recipe="r", run="2") if isinstance(e, Failed)]
    assert not failed.forgiven
    assert failed.exit_code == 4


# kills ----------------------------------------------------------------------------------------------------

_KILLED = """
import json, sys
from pathlib import Path
root, home, count, point, record = sys.argv[1:]
sys.path.insert(0, root)
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.ide_tree import sweep_ides
from setup_llm_dev.steps.step import silent
from tests.ground import scratch_host
from tests.kill.killed_at import watch
step, host = InstallIde.from_record(json.loads(record)), scratch_host(Path(home))
watch(count, int(point))
step.apply(host, silent)
"""


def _run_and_kill(bench: Bench, count: Path, point: int) -> int:
    """The step in a process of its own, which ends with SIGKILL right before its change number `point` of the disk."""
    words: list[str | Path] = [ROOT, bench.host.home, count, str(point), json.dumps(bench.step.record())]
    return subprocess.run([sys.executable, "-I", "-B", "-c", _KILLED, *words]).returncode


def _few(changes: int) -> list[int]:
    """Some moments while it unpacks, and most of the last, when things become visible."""
    return [*range(3, changes - 10, max(1, changes // 2)), *range(changes - 9, changes + 1, 3)]


def _every(changes: int) -> list[int]:
    return list(range(1, changes + 1))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("damaged", [False, True], ids=["fresh", "mending"])
@pytest.mark.parametrize("points", [_few, pytest.param(_every, marks=pytest.mark.nightly)])
def test_a_kill_at_any_moment_leaves_nothing_or_the_whole(
    bench: Bench, tmp_path: Path, points: Callable[[int], list[int]], damaged: bool
) -> None:
    """mending: it starts from an installed one with a hole, and a file of the user's in it, which outlives all."""
    count, start = tmp_path / "home" / "count", tmp_path / "start"
    if damaged:
        bench.install()
        (bench.home / "lib/app.jar").unlink()
        (bench.home / "mine.txt").write_text("mine")
    bench.stored()
    shutil.copytree(bench.layout.data, start, symlinks=True)
    assert _run_and_kill(bench, count, 0) == 0
    whole = tree(bench.home)
    assert len(whole) > 30
    for point in points(int(count.read_text())):
        shutil.rmtree(bench.layout.data)
        shutil.copytree(start, bench.layout.data, symlinks=True)
        assert _run_and_kill(bench, count, point) in (-signal.SIGKILL, 0), point  # two threads: numbers move
        if bench.home.exists() and not damaged:
            assert isinstance(bench.step.prove(bench.host, full=True), Satisfied), point
        _heal(bench)
        assert isinstance(bench.step.prove(bench.host, full=True), Satisfied), point
        assert tree(bench.home) == whole, point
        left = set(os.listdir(bench.layout.ides)) - {bench.home.name, f"{bench.home.name}.json"}
        assert left == ({f"{bench.home.name}.kept"} if damaged else set()), point
        assert tree(Path(bench.layout.store)) == {}, point
        if damaged:
            assert (bench.home.with_name(f"{bench.home.name}.kept") / "mine.txt").read_text() == "mine", point


def _heal(bench: Bench) -> None:
    """What the next run does: sweep, ask, and apply if need be."""
    sweep_ides(bench.host, bench.layout.ides, bench.layout.store)
    if not isinstance(bench.step.check(bench.host), Satisfied):
        bench.step.apply(bench.host, silent)


def test_a_cancelled_one_leaves_nothing(bench: Bench) -> None:
    bench.stored()
    threading.Timer(0.0, bench.host.cancel.set, (2,)).start()
    bench.host.cancel.wait(5)
    with pytest.raises(SetupError) as error:
        bench.step.apply(bench.host, silent)
    assert error.value.exit_code == 130
    assert os.listdir(bench.layout.ides) == []
