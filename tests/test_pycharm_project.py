"""The project files for PyCharm, read back by IntelliJ's own project loader."""

import doctest
import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import pytest

from setup_llm_dev.components import pycharm
from setup_llm_dev.components.pycharm import RUNS, RunConfiguration, free_sdk_name, how_to_open, project_files
from setup_llm_dev.documents import idea_edits, idea_files, idea_module, jetbrains_xml
from setup_llm_dev.documents.jetbrains_xml import document, element
from setup_llm_dev.documents.layout import Layout
from tests.jps import understood

FOLDERS = (
    "llm",
    "my llm",
    "R&D <x>",
    'it\'s "quoted"',
    "大模型 🚀",
    "a%20b#c",
    "5$ a $HOME$",
    "a (2)",
)


def written(workspace: Path, sdk_name: str, runs: tuple[RunConfiguration, ...] = RUNS) -> None:
    for name, data in project_files(workspace=workspace, sdk_name=sdk_name, runs=runs):
        file = workspace / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def table_with(config: Path, names_and_homes: dict[str, str]) -> None:
    """An IDE's interpreter table, as the IDE would hold it."""
    entries = [
        element(
            "jdk",
            element("name", value=name),
            element("type", value="Python SDK"),
            element("homePath", value=home),
            element("roots"),
            version="2",
        )
        for name, home in names_and_homes.items()
    ]
    table = element("application", element("component", *entries, name="ProjectJdkTable"))
    (config / "options").mkdir(parents=True)
    (config / "options" / "jdk.table.xml").write_bytes(document(table))


@pytest.mark.parametrize("folder", FOLDERS)
def test_intellij_reads_what_was_meant(tmp_path: Path, folder: str) -> None:
    workspace = tmp_path / folder
    name = free_sdk_name(python_version="3.11.7", workspace=workspace)
    written(workspace, name)
    python = f"{workspace}/.venv/bin/python"
    table_with(tmp_path / "config", {"Python 3.12 (other)": "/elsewhere/bin/python", name: python})

    read = understood(tmp_path, config=tmp_path / "config", project=workspace)

    assert (read["errors"], read["messages"]) == ([], [])
    [module] = read["project"]["modules"]
    [sdk] = [d for d in module["dependencies"] if d["kind"] == "sdk"]
    for found in (read["project"]["sdk"], sdk):
        assert (found["name"], found["type"], found["resolved"]) == (name, "Python SDK", True)
    assert sdk["inherited"] is False
    assert module["type"] == "PYTHON_MODULE"
    assert module["name"] == folder.replace("$", "_")
    assert module["contentRoots"] == [f"file://{workspace}"]
    assert module["excludedRoots"] == [
        f"file://{workspace}/{excluded}"
        for excluded in (".venv", "models", "data", "checkpoints", "runs", "wandb", ".setup-llm-dev")
    ]
    assert [d["kind"] for d in module["dependencies"]] == ["sdk", "moduleSource"]
    assert read["project"]["runConfigurations"] == [
        {"name": run, "type": "PythonConfigurationType"} for run in ("predict", "smoke", "train")
    ]


def test_a_taken_name_still_leads_to_our_interpreter(tmp_path: Path) -> None:
    workspace = tmp_path / "llm"
    taken = "Python 3.11 (llm)"
    name = free_sdk_name(python_version="3.11.7", workspace=workspace, taken=(taken,))
    written(workspace, name)
    table_with(tmp_path / "config", {taken: "/another/llm/.venv/bin/python", name: f"{workspace}/.venv/bin/python"})

    read = understood(tmp_path, config=tmp_path / "config", project=workspace)

    assert name == "Python 3.11 (llm) (2)"
    assert read["project"]["sdk"]["home"] == f"{workspace}/.venv/bin/python"


def test_without_the_name_in_the_table_nothing_resolves(tmp_path: Path) -> None:
    """The comparison above can fail: the loader tells a name that the table lacks."""
    workspace = tmp_path / "llm"
    written(workspace, "Python 3.11 (llm)")
    table_with(tmp_path / "config", {"Python 3.12 (llm)": f"{workspace}/.venv/bin/python"})

    read = understood(tmp_path, config=tmp_path / "config", project=workspace)

    assert read["project"]["sdk"]["resolved"] is False


def test_names_go_on_counting() -> None:
    workspace = PureWindowsPath(r"C:\Users\Ada\llm")
    taken = ["Python 3.11 (llm)", "Python 3.11 (llm) (2)", "Python 3.12 (llm) (3)"]
    assert free_sdk_name(python_version="3.11", workspace=workspace, taken=taken) == "Python 3.11 (llm) (3)"
    root = PureWindowsPath("C:\\")
    assert free_sdk_name(python_version="3.11", workspace=root) == "Python 3.11 (project)"


@pytest.mark.parametrize("workspace", [PurePosixPath("/home/ada/llm"), PureWindowsPath(r"C:\Users\Ada\llm")])
def test_the_files_are_the_same_wherever_the_workspace_lies(
    workspace: PurePosixPath | PureWindowsPath,
) -> None:
    files = dict(project_files(workspace=workspace, sdk_name="Python 3.11 (llm)"))
    assert set(files) == {
        ".idea/misc.xml",
        ".idea/modules.xml",
        ".idea/llm.iml",
        ".idea/.gitignore",
        ".idea/runConfigurations/train.xml",
        ".idea/runConfigurations/predict.xml",
        ".idea/runConfigurations/smoke.xml",
        ".setup-llm-dev/idea.json",
    }
    assert not any(b"Ada" in data or b"ada" in data for data in files.values())
    assert files == dict(project_files(workspace=PurePosixPath("/llm"), sdk_name="Python 3.11 (llm)"))
    assert b"/workspace.xml\n" in files[".idea/.gitignore"]


def test_run_configurations_use_the_interpreter_of_the_module() -> None:
    files = dict(project_files(workspace=PurePosixPath("/w/llm"), sdk_name="Python 3.11 (llm)"))
    for run in RUNS:
        [configuration] = ElementTree.fromstring(files[f".idea/runConfigurations/{run.name}.xml"])  # noqa: S314 - ours
        options = {o.get("name"): o.get("value") for o in configuration.iter("option")}
        assert (options["IS_MODULE_SDK"], options["SDK_HOME"]) == ("true", "")
        assert options["SCRIPT_NAME"] == f"$PROJECT_DIR$/{run.script}"
        assert options["WORKING_DIRECTORY"] == "$PROJECT_DIR$"
        assert [m.get("name") for m in configuration.iter("module")] == ["llm"]


def test_what_xml_cannot_hold_is_an_error_and_never_a_broken_file() -> None:
    with pytest.raises(ValueError, match=r"U\+001B"):
        document(element("option", value="\x1b[31m"))
    assert ElementTree.fromstring(document(element("o", value="a\n\t\"<&>'"))).get("value") == "a\n\t\"<&>'"  # noqa: S314 - ours


def test_undecodable_folder_names_still_give_readable_files(tmp_path: Path) -> None:
    workspace = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    files = project_files(workspace=workspace, sdk_name=free_sdk_name(python_version="3.11", workspace=workspace))
    assert ".idea/caf_.iml" in dict(files)


def test_the_sentence_names_folder_and_interpreter() -> None:
    layout = Layout(
        data=PurePosixPath("/d"), config=PurePosixPath("/c"), workspace=PurePosixPath("/w/llm"),
        hub_cache=PurePosixPath("/h"),
    )  # fmt: skip
    sentence = str(how_to_open(layout))
    assert "/w/llm;" in sentence
    assert sentence.endswith("/w/llm/.venv/bin/python")


@pytest.mark.parametrize("module", [idea_edits, idea_files, idea_module, jetbrains_xml, pycharm])
def test_examples_in_the_documentation(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
