"""Sentences for people: all of them in the catalogue, translated, with the same placeholders, and really shown."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from setup_llm_dev.cli.language import FOLDER, language_of, translator
from setup_llm_dev.cli.report_names import CHECKS
from setup_llm_dev.documents.causes import CAUSES
from setup_llm_dev.messages import message
from tests import catalogue

SMOKE = Path(FOLDER).parent / "smoke" / "smoke_run"


def test_the_catalogue_is_complete_and_compiled() -> None:
    assert catalogue.problems() == []


def test_updating_twice_gives_the_same_bytes() -> None:
    known = catalogue.translations()
    assert catalogue.po_text(known) == catalogue.po_file().read_bytes()
    assert catalogue.mo_bytes(known) == catalogue.mo_file().read_bytes()


def test_a_sentence_is_extracted_only_once_and_has_words() -> None:
    assert "{text}" not in catalogue.extracted()
    assert "{seconds} s" in catalogue.extracted()


def test_words_for_the_parser_are_sentences_too() -> None:
    """A literal `help=` would never be translated."""
    found = []
    for path in sorted((catalogue.SOURCE / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in ("help", "description", "epilog", "title"):
                literal = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
                found += [f"{path.name}:{node.value.lineno}"] if literal else []
    assert found == []


def test_every_translation_can_be_filled() -> None:
    translate = translator("zh_CN")
    for key, text in catalogue.translations().items():
        names = catalogue.placeholders(text)
        if text and isinstance(key, str) and not any("%" in name for name in names):
            filled = message(key, **dict.fromkeys(names, "VALUE")).render(translate)
            assert all("VALUE" in filled for _ in names), key


def test_the_empty_sentence_stays_empty() -> None:
    assert translator("zh_CN")("") == ""


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, None),
        ({"LANG": "en_US.UTF-8", "SETUP_LLM_DEV_LANG": "zh"}, "zh_CN"),
        ({"LANG": "zh_CN.UTF-8", "SETUP_LLM_DEV_LANG": "en"}, None),
        ({"LANG": "tr_TR.UTF-8"}, None),
        ({}, None),
    ],
)
def test_the_language_is_that_of_the_locale(environment: dict[str, str], language: str | None) -> None:
    assert language_of(environment) == language


def test_the_smoke_program_and_the_command_line_name_the_same_causes() -> None:
    assert {key: (str(c.text), str(c.hint)) for key, c in CAUSES.items()} == _smoke_causes()


def test_every_check_of_the_smoke_program_has_a_name() -> None:
    tree = ast.parse((SMOKE / "judgement.py").read_text(encoding="utf-8"))
    checks = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CHECKS" and node.value
    )
    assert set(checks) <= set(CHECKS)


def test_a_chinese_user_reads_chinese_help() -> None:
    shown = _run("--help", LANG="zh_CN.UTF-8")
    assert shown.returncode == 0
    for words in ("用法：", "位置参数", "显示此帮助信息并退出", "撤销上一次运行"):
        assert words in shown.stdout


def test_no_group_of_the_help_ends_in_the_colon_of_english() -> None:
    """argparse writes that one itself, until Python 3.13 where nothing can be translated."""
    for words in (("--help",), ("apply", "--help"), ("recipes", "check", "--help")):
        headings = [line for line in _run(*words, LANG="zh_CN.UTF-8").stdout.splitlines() if line[:1].strip()]
        assert any(line.endswith("：") for line in headings)
        assert not [line for line in headings if line.endswith(":")]
    assert "options:" in _run("--help", LANG="C.UTF-8").stdout


def test_a_chinese_user_reads_chinese_errors() -> None:
    shown = _run("completion", "csh", LANG="zh_CN.UTF-8")
    assert shown.returncode == 2
    assert "无效的选择：'csh'" in shown.stderr


def test_a_terminal_without_chinese_characters_gets_english() -> None:
    shown = _run("--help", LANG="zh_CN.UTF-8", PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert "reverse the last run" in shown.stdout


def test_json_is_never_translated() -> None:
    shown = _run("completion", "csh", "--json", LANG="zh_CN.UTF-8")
    assert shown.stdout.isascii() and "error" in shown.stdout


def test_english_stays_as_argparse_has_it() -> None:
    assert _run("--help", LANG="C.UTF-8").stdout.startswith("usage: setup-llm-dev ")


def _smoke_causes() -> dict[str, tuple[str, str]]:
    """Read without importing: the program stands apart."""
    tree = ast.parse((SMOKE / "causes.py").read_text(encoding="utf-8"))
    table = next(
        node.value for node in tree.body if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CAUSES"
    )
    assert isinstance(table, ast.Dict)
    return {
        ast.literal_eval(key): (ast.literal_eval(value.args[0]), ast.literal_eval(value.args[1]))
        for key, value in zip(table.keys, table.values, strict=True)
        if key is not None and isinstance(value, ast.Call)
    }


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "SETUP_LLM_DEV"))}
    return subprocess.run(
        (sys.executable, "-m", "setup_llm_dev", *words),
        env=kept | {"PYTHONPATH": str(catalogue.SOURCE.parent), "PYTHONUTF8": "1"} | environment,
        capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
