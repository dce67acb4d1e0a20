"""What must not be written down is not, and every error of the command line has its code and its document."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from setup_llm_dev.cli.log import Log, Masker
from tests.ground import CANARY, SOURCE, tool, tool_environment
from tests.test_journal import holder

TOKEN = "hf_CANARYcanaryCANARYcanary0123456789"
SECRETS = {
    "HF_TOKEN": TOKEN,
    "MY_API_KEY": "keycanary-1234",
    "DB_PASSWORD": "pw with spaces",
    "HTTPS_PROXY": f"http://user:{CANARY}@proxy:3128",
    "PIP_INDEX_URL": "https://someone:indexcanary@mirror/simple",
    "PIP_EXTRA_INDEX_URL": "https://tokencanary@mirror/simple",
    "EMPTY_TOKEN": "",
    "SHORT_TOKEN": "on",
    "HOME": "/home/user",
}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        ("key=keycanary-1234;", "key=***;"),
        ("x pw with spaces y", "x *** y"),
        (f"proxy said {CANARY}", "proxy said ***"),
        ("plain indexcanary alone", "plain *** alone"),
        ("GET https://other:secret@host/x", "GET https://***@host/x"),
        ("hf_anotherTokenOfSomebody1 leaked", "hf_*** leaked"),
        ("turned on in /home/user", "turned on in /home/user"),
        ("mail a@b and http://host/@x", "mail a@b and http://host/@x"),
        ("only tokencanary here", "only *** here"),
        ("url-quoted pw%20with%20spaces", "url-quoted ***"),
    ],
)
def test_secrets_are_masked_and_the_rest_is_not(text: str, masked: str) -> None:
    assert Masker(SECRETS)(text) == masked


def test_a_log_is_made_by_the_first_change_and_is_private(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs", "run", SECRETS)
    log.line(f"before {TOKEN}")
    assert not (tmp_path / "logs").exists()
    log.start()
    log.line(f"after {CANARY}")
    assert log.path.read_text() == "before ***\nafter ***\n"
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_only_so_many_logs_are_kept(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"20260101T0000000000{number:02}Z-12.log").touch()
        (tmp_path / f"2026{number:02}.log").touch()  # of somebody else's
    log = Log(tmp_path, "20270101T000000000000Z-12", {})
    log.start()
    assert len(list(tmp_path.glob("2026??.log"))) == 40
    names = sorted(name for name in os.listdir(tmp_path) if "T" in name)
    assert len(names) == 31
    assert names[0] == "20260101T000000000010Z-12.log"


def test_a_log_without_a_folder_of_ours_goes_with_a_later_run(tmp_path: Path) -> None:
    code = "from setup_llm_dev.cli.log import failure_log; print(failure_log(OSError(28, 'full'), ['said'], {}, None))"
    environment = {"PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "full" in Path(done.stdout.strip()).read_text()
    sweep = "from setup_llm_dev.host.temporary import drop_temporary; drop_temporary()"
    subprocess.run([sys.executable, "-c", sweep], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


# the command line -----------------------------------------------------------------------------------------


def error_of(home: Path, *words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = tool(*words, "--json", home=home, **environment)
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["schema"] == "error/1"
    assert document["error"]["exit_code"] == done.returncode
    assert "Traceback" not in done.stderr
    return done.returncode, document["error"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("aply",), ("aply", "apply")),
        (("apply", "--offlien"), ("--offlien",)),
        (("apply", "text-clasification"), ("text-clasification", "text-classification")),
        (("apply", "--require", "gpus"), ("gpus", "gpu")),
        (("apply", "--only", "modle"), ("modle",)),
        (("plan", "--machine", "nowhere.json"), ("nowhere.json",)),
        (("plan", "--torch", "cuda"), ("cuda",)),
        (("recipes", "show", "nothing-like-it"), ("nothing-like-it",)),
    ],
)
def test_wrong_words_are_2_and_name_the_nearest_right_one(
    tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    code, error = error_of(tmp_path / "home", *words)
    assert code == 2
    assert error["kind"] == "UsageError"
    for part in parts:
        assert part in f"{error['message']} {error['hint']}"
    assert not (tmp_path / "home" / "data").exists(), "nothing was touched"


def test_an_error_for_people_is_on_stderr_with_a_hint(tmp_path: Path) -> None:
    done = tool("aply", home=tmp_path / "home")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no command “aply”\nhint: did you mean `setup-llm-dev apply`?\n"


def test_a_recipe_with_an_unknown_key_names_all_of_them(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('schema = 1\nname = "mine"\nextends = "base"\n[torhc]\nversion = ">=2.6"\n[smoke]\nbudget = 5\n')
    code, error = error_of(tmp_path / "home", "apply", str(recipe))
    assert code == 2
    for part in ("torhc", "torch", "budget", "budget_seconds", "mine.toml"):
        assert part in error["message"]


def test_a_file_of_pips_that_can_not_be_read_is_2(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text(f"index-url = https://user:{CANARY}@h/\n")
    done = tool("apply", "--json", home=tmp_path / "home", PIP_CONFIG_FILE=str(conf))
    assert done.returncode == 2
    assert str(conf) in done.stdout
    assert CANARY not in done.stdout + done.stderr


def test_a_foreign_environment_in_the_workspace_is_3_and_untouched(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / ".venv").mkdir(parents=True)
    (work / ".venv" / "mine").write_text("mine")
    code, error = error_of(tmp_path / "home", "apply", "--workspace", str(work))
    assert code == 3
    assert str(work / ".venv") in error["message"]
    assert os.listdir(work / ".venv") == ["mine"]


def test_nothing_to_undo_is_0(tmp_path: Path) -> None:
    done = tool("undo", "--json", home=tmp_path / "home")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"schema": "undo/1", "undone": [], "left": []})


# two runs, and signals ------------------------------------------------------------------------------------


def test_a_second_run_without_waiting_is_7_and_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "home" / "data" / "journals").mkdir(parents=True)
    with holder(tmp_path / "home" / "data" / "run.lock") as first:
        for command in ("apply", "undo"):
            code, error = error_of(tmp_path / "home", command, "--no-wait")
            assert code == 7
            assert f"process {first.pid}" in error["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are not Windows's")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_to_a_run_that_waits_ends_it_with_its_own_code(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "home" / "data" / "journals").mkdir(parents=True)
    argv = [sys.executable, "-m", "setup_llm_dev", "undo"]
    with (
        holder(tmp_path / "home" / "data" / "run.lock") as first,
        subprocess.Popen(argv, env=tool_environment(tmp_path / "home"), stderr=subprocess.PIPE, text=True) as second,
    ):
        assert second.stderr is not None
        said = ""
        while "waiting" not in said:  # the note about root may come first
            line = second.stderr.readline()
            assert line, said
            said += line
        assert f"process {first.pid}" in said
        second.send_signal(number)
        rest = second.stderr.read()
        assert second.wait(60) == code
    assert "the same command goes on" in rest


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "setup_llm_dev", "recipes", "schema"]
    child = subprocess.Popen(
        argv, env=tool_environment(tmp_path / "home"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    assert "Traceback" not in child.stderr.read()
    child.stderr.close()
    assert child.wait() == 0
