"""PyCharm's side of the workspace: `.idea` with interpreter, excluded folders and run configurations."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import PurePath

from setup_llm_dev.components.jetbrains_xml import Element, document, element, option, writable_name
from setup_llm_dev.documents.layout import Layout
from setup_llm_dev.messages import Message, message

SDK_TYPE = "Python SDK"
# Indexing these takes gigabytes of heap and finds nothing that the user wrote.
EXCLUDED = (".venv", "models", "checkpoints", "runs", "wandb", ".setup-llm-dev")
_IGNORED = (
    "/shelf/", "/workspace.xml", "/queries/", "/dataSources/", "/dataSources.local.xml", "/httpRequests/"
)  # fmt: skip


@dataclass(frozen=True)
class RunConfiguration:
    """A run button: `script` relative to the workspace with slashes, `parameters` as on a command line."""

    name: str
    script: str
    parameters: str = ""
    interpreter_options: str = ""
    environment: tuple[tuple[str, str], ...] = (("PYTHONUNBUFFERED", "1"),)


RUNS = (
    RunConfiguration("train", "train.py"),
    RunConfiguration("predict", "predict.py"),
    RunConfiguration("smoke", ".setup-llm-dev/smoke.pyz", interpreter_options="-I"),
)


def project_files(
    *, workspace: PurePath, sdk_name: str, runs: tuple[RunConfiguration, ...] = RUNS
) -> tuple[tuple[str, bytes], ...]:
    """Path below the workspace (with slashes) and bytes of each file; none holds a path of this machine.

    sdk_name: the interpreter's name in the IDE's own table, the only link between project and interpreter.
    """
    name = module_name(workspace)
    files = {
        ".idea/misc.xml": document(_misc(sdk_name)),
        ".idea/modules.xml": document(_modules(name)),
        f".idea/{name}.iml": document(_module(sdk_name)),
        ".idea/.gitignore": "".join(f"{line}\n" for line in _IGNORED).encode(),
    }
    for run in runs:
        files[f".idea/runConfigurations/{run.name}.xml"] = document(_run(run, name), declaration=False)
    return tuple(files.items())


def free_sdk_name(*, python_version: str, workspace: PurePath, taken: Collection[str] = ()) -> str:
    """`Python 3.11 (folder)`, or the first free of `Python 3.11 (folder) (2)`, `(3)`…

    python_version: `3.11.7` or `3.11`. taken: names that belong to interpreters elsewhere.

    >>> from pathlib import PurePosixPath
    >>> workspace = PurePosixPath("/home/ada/llm")
    >>> free_sdk_name(python_version="3.11.7", workspace=workspace, taken=["Python 3.11 (llm)"])
    'Python 3.11 (llm) (2)'
    """
    release = ".".join(python_version.split(".")[:2])
    name = f"Python {release} ({module_name(workspace)})"
    return next(n for n in (name if i == 1 else f"{name} ({i})" for i in count(1)) if n not in taken)


def module_name(workspace: PurePath) -> str:
    """The folder's name, or `project` where the workspace is a root folder."""
    return writable_name(workspace.name) or "project"


def how_to_open(layout: Layout) -> Message:
    """What a person does to open the workspace in a PyCharm whose interpreter table we have not written."""
    return message(
        "in PyCharm, open the folder {workspace}; if it misses its interpreter, click the interpreter in the "
        "status bar, add a local interpreter, select an existing one, and choose {python}",
        workspace=str(layout.workspace),
        python=str(layout.python_in(layout.venv)),
    )


def _misc(sdk_name: str) -> Element:
    roots = Element(
        "component",
        (
            ("name", "ProjectRootManager"),
            ("version", "2"),
            ("project-jdk-name", sdk_name),
            ("project-jdk-type", SDK_TYPE),
        ),
    )
    return element("project", roots, version="4")


def _modules(name: str) -> Element:
    file = f"$PROJECT_DIR$/.idea/{name}.iml"
    module = element("module", fileurl=f"file://{file}", filepath=file)
    manager = element("component", element("modules", module), name="ProjectModuleManager")
    return element("project", manager, version="4")


def _module(sdk_name: str) -> Element:
    """`$MODULE_DIR$` of a module file that lies in `.idea` means the project's folder."""
    excluded = (element("excludeFolder", url=f"file://$MODULE_DIR$/{folder}") for folder in EXCLUDED)
    roots = element(
        "component",
        element("content", *excluded, url="file://$MODULE_DIR$"),
        element("orderEntry", type="jdk", jdkName=sdk_name, jdkType=SDK_TYPE),
        element("orderEntry", type="sourceFolder", forTests="false"),
        name="NewModuleRootManager",
    )
    return element("module", roots, type="PYTHON_MODULE", version="4")


def _run(run: RunConfiguration, module: str) -> Element:
    environment = (element("env", name=key, value=value) for key, value in run.environment)
    configuration = element(
        "configuration",
        element("module", name=module),
        option("ENV_FILES", ""),
        option("INTERPRETER_OPTIONS", run.interpreter_options),
        option("PARENT_ENVS", "true"),
        element("envs", *environment),
        option("SDK_HOME", ""),
        option("WORKING_DIRECTORY", "$PROJECT_DIR$"),
        option("IS_MODULE_SDK", "true"),  # with an empty SDK_HOME: whatever interpreter the module names
        option("ADD_CONTENT_ROOTS", "true"),
        option("ADD_SOURCE_ROOTS", "true"),
        option("SCRIPT_NAME", f"$PROJECT_DIR$/{run.script}"),
        option("PARAMETERS", run.parameters),
        option("SHOW_COMMAND_LINE", "false"),
        option("EMULATE_TERMINAL", "false"),
        option("MODULE_MODE", "false"),
        option("REDIRECT_INPUT", "false"),
        option("INPUT_FILE", ""),
        element("method", v="2"),
        default="false",
        name=run.name,
        type="PythonConfigurationType",
        factoryName="Python",
    )
    return element("component", configuration, name="ProjectRunConfigurationManager")
