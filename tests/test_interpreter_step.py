"""Telling an IDE about the interpreter: real files, real processes, a kill at every change of the disk."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from setup_llm_dev.documents.jdk_table import entries
from setup_llm_dev.errors import Busy, Refused, RollbackIncomplete, SystemRefused
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.ide.java_home import java_user_home
from setup_llm_dev.host.ide.table import interpreter_name, why_not_yet
from setup_llm_dev.host.user_files import KEPT_BACKUPS, keep_backup
from setup_llm_dev.host.world import Host
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.step import Satisfied, Unsatisfied, silent
from tests.ground import scratch_host
from tests.protected import unprivileged_folder

TABLES = sorted((Path(__file__).parent / "tables").glob("pycharm-*.xml"))
SAMPLE = TABLES[-1].read_bytes()
NAME = "Python 3.12 (llm)"
KILLED_AT = Path(__file__).parent / "kill" / "killed_at.py"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return scratch_host(tmp_path / "home")


def step_in(home: Path, name: str = NAME) -> ConfigureInterpreter:
    return ConfigureInterpreter(
        settings=home / ".config/JetBrains/PyCharm2026.2",
        name=name,
        home=home / "llm/.venv/bin/python",
        version="3.12.11",
        workspace=home / "llm",
        user_home=home,
        uuid="5b6f0f3e-2f0c-4a53-8f6d-2f2f6f6f9c01",
        ide=home / "ide/pycharm-2026.2",
        backups=home / "data/backups",
    )


def with_table(host: Host, data: bytes = SAMPLE) -> ConfigureInterpreter:
    step = step_in(host.home)
    table = Path(step.table)
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_bytes(data)
    return step


def content(step: ConfigureInterpreter) -> bytes:
    return Path(step.table).read_bytes()


def names(step: ConfigureInterpreter) -> list[str]:
    return [entry.name for entry in entries(content(step))]


def backups(step: ConfigureInterpreter) -> list[Path]:
    return sorted(Path(step.backups).glob("*")) if Path(step.backups).is_dir() else []


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: bytes of files, None for the rest."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


class Disturbed(Files):
    """The disk, on which somebody else acts right before or after a call of ours."""

    def __init__(
        self,
        *,
        before_rename: Callable[[], None] | None = None,
        after_write: Callable[[], None] | None = None,
        after_rename: Callable[[], None] | None = None,
    ) -> None:
        self._before_rename = before_rename
        self._after_write = after_write
        self._after_rename = after_rename

    def write(self, path: PurePath, data: bytes, mode: int = 0o644) -> None:
        super().write(path, data, mode)
        if self._after_write and path.name.startswith(".jdk.table.xml"):
            self._after_write()

    def rename(self, path: PurePath, target: PurePath) -> None:
        if self._before_rename:
            self._before_rename()
        super().rename(path, target)
        if self._after_rename:
            self._after_rename()


@contextmanager
def running(step: ConfigureInterpreter) -> Iterator[None]:
    """A process that runs out of the IDE's folder."""
    program = Path(step.ide) / "bin/pycharm"
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        shutil.copy(str(shutil.which("sleep")), program)
    process = subprocess.Popen([program, "60"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


# doing and undoing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_one_entry_more_and_every_other_byte_as_it_was(host: Host, path: Path) -> None:
    before = path.read_bytes()
    step = with_table(host, before)
    table = Path(step.table)
    table.chmod(0o640)
    assert isinstance(step.check(host), Unsatisfied)
    remembered = step.before(host)

    receipt = step.apply(host, silent)

    assert receipt == remembered == json.loads(json.dumps(receipt))
    assert isinstance(step.check(host), Satisfied)
    assert names(step) == [*(entry.name for entry in entries(before)), NAME]
    assert table.stat().st_mode & 0o777 == 0o640
    assert [backup.read_bytes() for backup in backups(step)] == [before]
    assert ConfigureInterpreter.from_record(json.loads(json.dumps(step.record()))).undo(host, receipt) == ()
    assert content(step) == before
    assert os.listdir(table.parent) == ["jdk.table.xml"]


def test_where_no_ide_was_ever_started_table_and_folders_are_made_and_go_again(host: Host) -> None:
    step = step_in(host.home)
    receipt = step.apply(host, silent)
    assert names(step) == [NAME]
    assert isinstance(step.check(host), Satisfied)
    assert backups(step) == []
    assert step.undo(host, receipt) == ()
    assert not (host.home / ".config").exists()


def test_a_folder_in_which_something_else_is_now_stays(host: Host) -> None:
    step = step_in(host.home)
    receipt = step.apply(host, silent)
    (Path(step.settings) / "pycharm64.vmoptions").write_text("-Xmx8g\n")
    assert step.undo(host, receipt) == ()
    assert [path.name for path in Path(step.settings).iterdir()] == ["pycharm64.vmoptions"]


@pytest.mark.parametrize("data", [b"", b"\n", b"<application/>"])
def test_an_empty_table_is_empty_again(host: Host, data: bytes) -> None:
    step = with_table(host, data)
    receipt = step.apply(host, silent)
    assert names(step) == [NAME]
    assert step.undo(host, receipt) == ()
    assert content(step) == data


def test_twice_is_once(host: Host) -> None:
    step = with_table(host)
    step.apply(host, silent)
    stamp = Path(step.table).stat()
    assert step.preview(host) == ()
    assert step.apply(host, silent) == {}
    assert Path(step.table).stat() == stamp
    assert len(backups(step)) == 1


def test_the_plan_can_show_what_will_change(host: Host) -> None:
    step = with_table(host)
    [change] = step.preview(host)
    assert (change.path, change.before) == (step.table, SAMPLE)
    assert content(step) == SAMPLE
    step.apply(host, silent)
    assert content(step) == change.after


def test_undo_after_a_crash_goes_by_what_was_remembered_or_by_the_entry(host: Host) -> None:
    for data in (SAMPLE, b'<application><component name="ProjectJdkTable"/></application>'):
        step = with_table(host, data)
        remembered = step.before(host)
        assert step.undo(host, remembered) == ()
        assert content(step) == data, "nothing was written yet"
        step.apply(host, silent)
        assert step.undo(host, remembered) == ()
        assert content(step) == data
    step = with_table(host)
    step.apply(host, silent)
    assert step.undo(host, {}) == ()
    assert content(step) == SAMPLE
    Path(step.table).unlink()
    assert step.undo(host, {}) == ()


# what stands there already ------------------------------------------------------------------------------------


def jdk(name: str, home: str, more: str = "", kind: str = "Python SDK") -> str:
    return (
        f'<jdk version="2"><name value="{name}"/><type value="{kind}"/><homePath value="{home}"/>'
        f"<roots/><additional{more}/></jdk>"
    )


def table_of(*rows: str) -> bytes:
    return f'<application><component name="ProjectJdkTable">{"".join(rows)}</component></application>'.encode()


def planned(host: Host, step: ConfigureInterpreter) -> str:
    return interpreter_name(host, step.settings, home=step.home, user_home=step.user_home, wanted=NAME)


SPELLED = (
    "$USER_HOME$/llm/.venv/bin/python",
    "{home}/llm/.venv/bin/python3.12",
    "{home}/way/llm/.venv/bin/python",
    "$USER_HOME$/llm/../llm/.venv/bin/python",
)


@pytest.mark.parametrize("spelled", SPELLED)
def test_an_entry_that_leads_to_us_stays_as_it_is_under_its_own_name(host: Host, spelled: str) -> None:
    (host.home / "way").symlink_to(host.home)
    data = table_of(jdk("mine", spelled.format(home=host.home)))
    step = with_table(host, data)
    assert planned(host, step) == "mine"
    named = replace(step, name="mine")
    assert isinstance(named.check(host), Satisfied)
    assert named.apply(host, silent) == {}
    assert content(step) == data
    assert backups(step) == []


@pytest.mark.parametrize("row", [
    jdk(NAME, "$USER_HOME$/other/llm/.venv/bin/python"),
    jdk(NAME, "/usr/lib/jvm/java-17", kind="JavaSDK"),
    jdk(NAME, "ssh://ada@gpu-box:22/home/ada/llm/.venv/bin/python"),
    jdk(NAME, "$USER_HOME$/llm/.venv/bin/python", ' IS_UV="true"'),
    jdk(NAME, "$USER_HOME$/llm/.venv/bin/python").replace("<roots/>", ""),
])  # fmt: skip
def test_a_name_that_is_taken_or_an_entry_that_is_no_good_leaves_us_the_next_name(host: Host, row: str) -> None:
    data = table_of(row)
    step = with_table(host, data)
    assert planned(host, step) == f"{NAME} (2)"
    second = replace(step, name=f"{NAME} (2)")
    receipt = second.apply(host, silent)
    assert names(step) == [NAME, f"{NAME} (2)"]
    assert second.undo(host, receipt) == ()
    assert content(step) == data


def test_an_entry_of_a_generation_or_of_the_system_is_not_ours(host: Host) -> None:
    """The link is not followed: what lies behind it changes, others share it, and its Python is the system's."""
    generation = host.home / "data/environments/abc-1"
    (generation / "bin").mkdir(parents=True)
    (generation / "bin/python").symlink_to(sys.executable)
    (host.home / "llm").mkdir()
    (host.home / "llm/.venv").symlink_to(generation)
    (host.home / "llm2").mkdir()
    (host.home / "llm2/.venv").symlink_to(generation)
    others = (str(generation / "bin/python"), sys.executable, "$USER_HOME$/llm2/.venv/bin/python",
              "$USER_HOME$/llm/.venv-old/bin/python", "$USER_HOME$/llm/.venv/bin/pip")  # fmt: skip
    step = with_table(host, table_of(*(jdk(home, home) for home in others)))
    assert planned(host, step) == NAME
    assert isinstance(step.check(host), Unsatisfied)


def test_a_table_that_changed_since_the_plan_is_planned_again(host: Host) -> None:
    step = with_table(host, table_of(jdk(NAME, "/elsewhere/bin/python")))
    with pytest.raises(Refused, match="changed since the plan") as refusal:
        step.apply(host, silent)
    assert str(refusal.value.hint) == "run the same command again"
    assert step.before(host) == {}


def test_the_users_home_is_the_one_that_java_sees(host: Host) -> None:
    """An entry below another HOME is written with its whole path, which every IDE understands."""
    assert java_user_home(host) == Path(pwd.getpwuid(os.getuid()).pw_dir)
    step = replace(with_table(host), user_home=java_user_home(host))
    step.apply(host, silent)
    assert entries(content(step))[-1].home == str(host.home / "llm/.venv/bin/python")


def test_links_in_a_circle_lead_nowhere(host: Host) -> None:
    (host.home / "circle").symlink_to(host.home / "circle")
    step = with_table(host, table_of(jdk("x", "$USER_HOME$/circle/llm/.venv/bin/python")))
    assert planned(host, step) == NAME


# what is refused ----------------------------------------------------------------------------------------------

HEAD = b'<application><component name="ProjectJdkTable">'
BROKEN = {
    "a DOCTYPE": b"<!DOCTYPE application>" + SAMPLE,
    "a bomb": b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><application>&y;</application>',
    "an external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><application>&x;</application>',
    "too large": HEAD + b" " * (16 << 20) + b"</component></application>",
    "too deep": b"<application>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</application>",
    "cut off": SAMPLE[: len(SAMPLE) // 2],
    "UTF-16": SAMPLE.decode().encode("utf-16"),
    "Latin-1": b"<?xml version='1.0' encoding='iso-8859-1'?>" + SAMPLE,
    "another document": b"<project/>",
    "two tables": b'<application><component name="ProjectJdkTable"/><component name="ProjectJdkTable"/></application>',
}


def refused(host: Host, step: ConfigureInterpreter) -> str:
    """Refused with a way to do it by hand, and nothing on the disk has changed."""
    before = tree(host.home)
    with pytest.raises(Refused) as refusal:
        step.apply(host, silent)
    assert str(step.home) in str(refusal.value.hint)
    assert refusal.value.exit_code == 3
    assert tree(host.home) == before
    assert isinstance(step.check(host), Unsatisfied)
    with pytest.raises(Refused):
        step.refuse_early(host)
    assert step.before(host) == {}
    return str(refusal.value)


@pytest.mark.parametrize("case", BROKEN)
def test_a_table_that_no_ide_wrote_is_left_alone(host: Host, case: str) -> None:
    step = with_table(host, BROKEN[case])
    assert str(step.table) in refused(host, step)
    [left] = step.undo(host, {"made": "x", "replaced": ""})
    assert "stays as it is" in str(left)
    assert content(step) == BROKEN[case]


def test_a_link_out_of_the_settings_is_left_alone(host: Host) -> None:
    elsewhere = host.home / "dotfiles"
    elsewhere.mkdir()
    (elsewhere / "jdk.table.xml").write_bytes(SAMPLE)
    step = step_in(host.home)
    Path(step.settings).mkdir(parents=True)
    Path(step.settings, "options").symlink_to(elsewhere)
    assert "link to" in refused(host, step)


def test_a_link_within_the_settings_stays_a_link(host: Host) -> None:
    step = with_table(host)
    table = Path(step.table)
    table.rename(table.with_name("real.xml"))
    table.symlink_to("real.xml")
    receipt = step.apply(host, silent)
    assert table.is_symlink()
    assert names(step)[-1] == NAME
    step.undo(host, receipt)
    assert content(step) == SAMPLE


def test_settings_that_are_a_link_themselves_are_the_settings(host: Host) -> None:
    step = step_in(host.home)
    (host.home / "kept/options").mkdir(parents=True)
    Path(step.settings).parent.mkdir(parents=True)
    Path(step.settings).symlink_to(host.home / "kept")
    step.apply(host, silent)
    assert (host.home / "kept/options/jdk.table.xml").is_file()


@pytest.mark.parametrize("what", ["folder", "pipe", "circle", "file for a folder"])
def test_what_is_no_file_is_left_alone(host: Host, what: str) -> None:
    step = step_in(host.home)
    table = Path(step.table)
    table.parent.parent.mkdir(parents=True)
    if what == "file for a folder":
        table.parent.write_text("")
    else:
        table.parent.mkdir()
    match what:
        case "folder":
            table.mkdir()
        case "pipe":
            os.mkfifo(table)
        case "circle":
            table.symlink_to(table)
    refused(host, step)


def test_write_protection_is_respected(host: Host) -> None:
    step = with_table(host)
    Path(step.table).chmod(0o444)
    assert "write-protected" in refused_by_apply(host, step)
    Path(step.table).chmod(0o644)
    Path(step.table).parent.chmod(0o555)
    if os.access(Path(step.table).parent, os.W_OK):
        pytest.skip("who runs these tests may write into protected folders")
    try:
        assert "folder is write-protected" in refused_by_apply(host, step)
    finally:
        Path(step.table).parent.chmod(0o755)


def test_a_write_protected_table_is_refused_before_long_work(host: Host) -> None:
    step = with_table(host)
    Path(step.table).chmod(0o444)
    for early in (step.refuse_early, step.preview):
        with pytest.raises(Refused, match="it is write-protected"):
            early(host)
    Path(step.table).chmod(0o644)
    step.apply(host, silent)
    Path(step.table).chmod(0o444)
    step.refuse_early(host)  # nothing is to be written


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(("what", "mode"), [("table", 0), ("options", 0o555)])
def test_an_entry_that_can_not_be_taken_out_now_is_no_undo(what: str, mode: int, new: bool) -> None:
    with unprivileged_folder() as home:
        host = scratch_host(home)
        step = step_in(home) if new else with_table(host)
        receipt = step.apply(host, silent)
        barred = Path(step.table) if what == "table" else Path(step.table).parent
        before, usual = tree(home), barred.stat().st_mode
        barred.chmod(mode)
        with pytest.raises(RollbackIncomplete, match="could not be taken back") as error:
            step.undo(host, receipt)
        assert error.value.exit_code == 9
        barred.chmod(usual)
        assert {name for name in tree(home) if "backups" not in name} == {n for n in before if "backups" not in n}
        assert step.undo(host, receipt) == ()
        assert not Path(step.table).exists() if new else content(step) == SAMPLE


def refused_by_apply(host: Host, step: ConfigureInterpreter) -> str:
    with pytest.raises(Refused) as refusal:
        step.apply(host, silent)
    assert content(step) == SAMPLE
    assert str(step.home) in str(refusal.value.hint)
    return str(refusal.value)


def test_the_owner_stays_the_owner(host: Host) -> None:
    step = with_table(host)
    try:
        os.chown(step.table, 12345, 12346)
    except PermissionError:
        pytest.skip("who runs these tests may not give files away")
    step.apply(host, silent)
    status = Path(step.table).stat()
    assert (status.st_uid, status.st_gid) == (12345, 12346)


def test_a_path_that_xml_cannot_hold_is_refused(host: Host) -> None:
    step = with_table(host)
    odd = host.home / "odd\x1b"
    step = replace(step, home=odd / ".venv/bin/python", workspace=odd)
    with pytest.raises(Refused, match="XML can't hold"):
        step.apply(host, silent)
    assert content(step) == SAMPLE


# while others are at it ---------------------------------------------------------------------------------------


def test_nothing_is_written_while_the_ide_runs(host: Host) -> None:
    step = with_table(host)
    with running(step):
        for attempt in (lambda: step.apply(host, silent), lambda: step.refuse_early(host), lambda: step.undo(host, {})):
            with pytest.raises(Busy) as busy:
                attempt()
            assert busy.value.exit_code == 7
            assert str(busy.value.hint) == "close PyCharm, then run the same command again"
        assert tree(Path(step.settings)) == {"options": None, "options/jdk.table.xml": SAMPLE}
        assert backups(step) == []
    receipt = step.apply(host, silent)
    with running(step), pytest.raises(Busy):
        step.undo(host, receipt)
    assert names(step)[-1] == NAME
    step.undo(host, receipt)
    assert content(step) == SAMPLE


def test_a_running_ide_is_no_hindrance_where_nothing_is_to_do(host: Host) -> None:
    step = with_table(host)
    step.apply(host, silent)
    with running(step):
        step.refuse_early(host)
        assert isinstance(step.check(host), Satisfied)


def test_an_ide_that_starts_in_between_is_noticed_and_its_old_table_mended_later(host: Host) -> None:
    step = with_table(host)
    with ExitStack() as started:
        disturbed = replace(host, files=Disturbed(before_rename=lambda: started.enter_context(running(step))))
        remembered = step.before(host)
        with pytest.raises(Busy):
            step.apply(disturbed, silent)
    Path(step.table).write_bytes(SAMPLE)  # the IDE ends, and writes what it had read
    assert isinstance(step.check(host), Unsatisfied)
    receipt = step.apply(host, silent)
    assert names(step)[-1] == NAME
    assert len(backups(step)) == 1
    assert receipt == remembered
    step.undo(host, remembered)
    assert content(step) == SAMPLE


ELSE = SAMPLE.replace(b"uv (agent)", b"uv (agent two)")


@pytest.mark.parametrize("moment", ["after_write", "after_rename"])
def test_what_somebody_writes_in_between_is_kept(host: Host, moment: str) -> None:
    step = with_table(host)
    times = iter([True])

    def once() -> None:
        if next(times, False):
            Path(step.table).write_bytes(ELSE)

    receipt = step.apply(replace(host, files=Disturbed(**{moment: once})), silent)
    assert "uv (agent two)" in names(step)
    assert names(step)[-1] == NAME
    assert SAMPLE in [backup.read_bytes() for backup in backups(step)]
    assert ELSE in [backup.read_bytes() for backup in backups(step)]
    step.undo(host, receipt)
    assert content(step) == ELSE


def test_a_file_replaced_by_its_like_is_noticed_too(host: Host) -> None:
    step = with_table(host)
    looks = []

    def replaced() -> None:
        looks.append(1)
        if len(looks) == 1:
            twin = Path(step.table).with_name("twin")
            twin.write_bytes(SAMPLE)
            twin.rename(step.table)

    step.apply(replace(host, files=Disturbed(after_write=replaced)), silent)
    assert len(looks) == 2


def test_a_table_that_does_not_come_to_rest_is_left(host: Host) -> None:
    step = with_table(host)
    count = iter(range(9))

    def always() -> None:
        Path(step.table).write_bytes(SAMPLE + b"\n" * next(count))

    with pytest.raises(Busy, match="being written by another program"):
        step.apply(replace(host, files=Disturbed(after_write=always)), silent)
    assert content(step) == SAMPLE + b"\n" * 2, "the other one's last word, after three tries"
    assert os.listdir(Path(step.table).parent) == ["jdk.table.xml"]


def test_a_table_that_appears_in_between_is_kept(host: Host) -> None:
    step = step_in(host.home)
    times = iter([True])

    def once() -> None:
        if next(times, False):
            Path(step.table).write_bytes(SAMPLE)

    receipt = step.apply(replace(host, files=Disturbed(after_write=once)), silent)
    assert len(names(step)) == 6
    step.undo(host, receipt)
    assert content(step) == SAMPLE


# undo after the user has worked -------------------------------------------------------------------------------


def test_only_our_entry_goes_when_the_ide_has_written_the_table_anew(host: Host) -> None:
    step = with_table(host)
    receipt = step.apply(host, silent)
    added = jdk("Later", "/opt/later/bin/python").encode()
    filled = content(step).replace(b"  </component>", b"    " + added + b"\n  </component>", 1)
    at = filled.rindex(
        b'<root type="composite" />', 0, filled.index(b"VirtualEnvSdkFlavor", filled.index(NAME.encode()))
    )
    filled = filled[:at] + b'<root type="composite"><root url="file:///x" type="simple" /></root>' + filled[at + 25 :]
    Path(step.table).write_bytes(filled)
    assert step.undo(host, receipt) == ()
    assert content(step) == SAMPLE.replace(b"  </component>", b"    " + added + b"\n  </component>", 1)


def test_ours_is_known_by_its_uuid_or_its_name_as_long_as_it_leads_to_us(host: Host) -> None:
    step = with_table(host)
    receipt = step.apply(host, silent)
    mine = content(step)
    for changed in (mine.replace(NAME.encode(), b"renamed"), mine.replace(step.uuid.encode(), b"0" * 36)):
        Path(step.table).write_bytes(changed)
        assert step.undo(host, receipt) == ()
        assert content(step) == SAMPLE
    Path(step.table).write_bytes(mine.replace(b"$USER_HOME$/llm/.venv", b"$USER_HOME$/other/.venv"))
    [left] = step.undo(host, receipt)
    assert NAME in str(left)
    assert names(step)[-1] == NAME


def test_a_table_made_by_us_and_used_since_keeps_what_is_not_ours(host: Host) -> None:
    step = step_in(host.home)
    receipt = step.apply(host, silent)
    row = jdk("Later", "/opt/later/bin/python").encode()
    Path(step.table).write_bytes(content(step).replace(b"    <jdk", b"    " + row + b"\n    <jdk", 1))
    assert step.undo(host, receipt) == ()
    assert names(step) == ["Later"]


# backups ------------------------------------------------------------------------------------------------------


def test_backups_are_made_once_per_content_and_the_newest_stay(host: Host) -> None:
    folder = host.home / "backups"
    folder.mkdir()
    (folder / "jdk.table.xml.mine").write_text("the user's")
    places = [keep_backup(host, folder, "jdk.table.xml", b"%d" % n) for n in range(50)]
    assert len(set(places)) == 50
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == sorted([*(place.name for place in places[-KEPT_BACKUPS:]), "jdk.table.xml.mine"])
    assert keep_backup(host, folder, "jdk.table.xml", b"49") == places[-1]
    assert Path(places[-1]).read_bytes() == b"49"
    assert Path(places[-1]).stat().st_mode & 0o777 == 0o600


def test_without_a_backup_nothing_is_written(host: Host) -> None:
    step = with_table(host)
    Path(step.backups).parent.mkdir(parents=True)
    Path(step.backups).write_text("a file where the folder would be")
    with pytest.raises(SystemRefused):
        step.apply(host, silent)
    assert content(step) == SAMPLE


# the offer to import an older version's settings --------------------------------------------------------------


def test_settings_are_not_made_where_an_older_version_has_some(host: Host) -> None:
    folder = host.home / ".config/JetBrains"
    settings = folder / "PyCharm2026.2"
    assert why_not_yet(host, settings) is None
    for name in ("PyCharm2026.2-backup/2026-11-20", "IntelliJIdea2025.1/options", "consentOptions", "PyCharm2025.2"):
        (folder / name).mkdir(parents=True)
    assert why_not_yet(host, settings) is None, "nothing of a PyCharm, or empty"
    (folder / "PyCharmCE2025.2/options").mkdir(parents=True)
    why = why_not_yet(host, settings)
    assert why is not None
    assert "PyCharmCE2025.2" in str(why)
    settings.mkdir()
    assert why_not_yet(host, settings) is not None
    (settings / "options").mkdir()
    assert why_not_yet(host, settings) is None


# kill -9 ------------------------------------------------------------------------------------------------------

PROGRAM = """
import importlib.util, json, sys
from pathlib import Path
from setup_llm_dev.host.world import real_host
from setup_llm_dev.steps.interpreter import ConfigureInterpreter
from setup_llm_dev.steps.step import silent
killed_at, count, kill_at, verb, record, receipt = sys.argv[1:]
spec = importlib.util.spec_from_file_location("killed_at", killed_at)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
step, host = ConfigureInterpreter.from_record(json.loads(record)), real_host()
module.watch(count, int(kill_at))
step.apply(host, silent) if verb == "apply" else step.undo(host, json.loads(receipt))
"""


@pytest.mark.parametrize("verb", ["apply", "undo"])
def test_killed_at_any_change_of_the_disk_the_table_is_old_or_new(tmp_path: Path, verb: str) -> None:
    """And the same thing once more, or taking it back, ends well, with nothing left beside the table."""
    points, point = 1, 0
    while point <= points:
        host = scratch_host(tmp_path / f"{verb}-{point}")
        step = with_table(host)
        receipt = step.before(host)
        new = step.preview(host)[0].after
        if verb == "undo":
            step.apply(host, silent)
        killed = _killed(host.home, step, verb, point, json.dumps(receipt))
        if point == 0:
            points = int((host.home / "count").read_text())
            assert points > 4
        assert killed == (point > 0)
        assert content(step) in (SAMPLE, new)
        if verb == "apply" and point % 2:
            step.apply(host, silent)
            assert content(step) == new
        else:
            assert step.undo(host, receipt) == ()
            assert content(step) == SAMPLE
        assert os.listdir(Path(step.table).parent) == ["jdk.table.xml"]
        point += 1


def _killed(home: Path, step: ConfigureInterpreter, verb: str, point: int, receipt: str) -> bool:
    words = [str(KILLED_AT), str(home / "count"), str(point), verb, json.dumps(step.record()), receipt]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], env={**os.environ, "HOME": str(home)})
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0
