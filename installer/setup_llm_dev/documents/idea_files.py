"""The files of a fresh `.idea`: interpreter, module with excluded folders, run configurations; no path of a machine."""

from dataclasses import dataclass

from setup_llm_dev.documents.jetbrains_xml import Element, document, element, option

SDK_TYPE = "Python SDK"
# Indexing these takes gigabytes of heap and finds nothing that the user wrote.
EXCLUDED = (".venv", "models", "data", "checkpoints", "runs", "wandb", ".setup-llm-dev")
IDEA_IGNORED = b"/shelf/\n/workspace.xml\n/queries/\n/dataSources/\n/dataSources.local.xml\n/httpRequests/\n"
"""`.idea/.gitignore`: what PyCharm itself keeps out of version control."""


@dataclass(frozen=True)
class RunConfiguration:
    """A run button: `script` relative to the workspace with slashes, `parameters` as on a command line.

    environment: (name, value). A value may begin with `$USER_HOME$` or `$PROJECT_DIR$`: the IDE expands path macros in
    every attribute of a run configuration before it reads it, and puts them in again when it writes one.
    """

    name: str
    script: str
    parameters: str = ""
    interpreter_options: str = ""
    environment: tuple[tuple[str, str], ...] = (("PYTHONUNBUFFERED", "1"), ("TOKENIZERS_PARALLELISM", "false"))


RUNS = (
    RunConfiguration("train", "train.py"),
    RunConfiguration("predict", "predict.py"),
    RunConfiguration("smoke", ".setup-llm-dev/smoke.pyz", interpreter_options="-I"),
)


def misc_file(sdk_name: str) -> bytes:
    """`misc.xml`: which interpreter of the IDE's own table the project uses, by name."""
    return document(element("project", root_manager(sdk_name), version="4"))


def root_manager(sdk_name: str) -> Element:
    named = (("project-jdk-name", sdk_name), ("project-jdk-type", SDK_TYPE))
    return Element("component", (("name", "ProjectRootManager"), ("version", "2"), *named))


def modules_file(iml: str) -> bytes:
    """`modules.xml` with one module, whose file is `iml` (below the workspace, with slashes)."""
    return document(element("project", module_manager(iml), version="4"))


def module_manager(iml: str) -> Element:
    return element("component", element("modules", listed_module(iml)), name="ProjectModuleManager")


def listed_module(iml: str) -> Element:
    file = f"$PROJECT_DIR$/{iml}"
    return element("module", fileurl=f"file://{file}", filepath=file)


def module_file(sdk_name: str, excluded: tuple[str, ...]) -> bytes:
    """A module file in `.idea` or in the workspace itself: in both, `$MODULE_DIR$` means the project's folder."""
    roots = element(
        "component",
        element("content", *(excluded_folder("file://$MODULE_DIR$", name) for name in excluded),
                url="file://$MODULE_DIR$"),
        jdk_entry(sdk_name),
        element("orderEntry", type="sourceFolder", forTests="false"),
        name="NewModuleRootManager",
    )  # fmt: skip
    return document(element("module", roots, type="PYTHON_MODULE", version="4"))


def excluded_folder(content: str, name: str) -> Element:
    return element("excludeFolder", url=f"{content}/{name}")


def jdk_entry(sdk_name: str) -> Element:
    return element("orderEntry", type="jdk", jdkName=sdk_name, jdkType=SDK_TYPE)


def vcs_file() -> bytes:
    """`vcs.xml`: the whole project is under Git."""
    mappings = element("component", element("mapping", directory="", vcs="Git"), name="VcsDirectoryMappings")
    return document(element("project", mappings, version="4"))


def run_file(run: RunConfiguration, module: str) -> bytes:
    """`runConfigurations/NAME.xml`. With an empty SDK_HOME it runs by whatever interpreter the module names."""
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
        option("IS_MODULE_SDK", "true"),
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
    return document(element("component", configuration, name="ProjectRunConfigurationManager"), declaration=False)
