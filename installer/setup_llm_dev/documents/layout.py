"""The Layout: where everything of ours lies on one computer, for one recipe."""

from pathlib import PurePath

import msgspec


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Folders as `PurePath`s of the target's own flavour, so that plans for Windows are made on Linux too.

    data: ours alone (override: SETUP_LLM_DEV_HOME); config: config.toml; workspace: the user's project folder;
    hub_cache: the Hugging Face cache, shared with everything else the user runs.
    """

    data: PurePath
    config: PurePath
    workspace: PurePath
    hub_cache: PurePath
    windows: bool = False

    @property
    def environments(self) -> PurePath:
        return self.data / "environments"

    @property
    def models(self) -> PurePath:
        return self.data / "models"

    @property
    def store(self) -> PurePath:
        """Large bytes that were verified, by their hash: presence means verified. Partial ones lie beside."""
        return self.data / "store"

    @property
    def ides(self) -> PurePath:
        """Unpacked IDEs, one folder a version."""
        return self.data / "ide"

    @property
    def backups(self) -> PurePath:
        """Copies of files of the user's, as they were before we changed them."""
        return self.data / "backups"

    @property
    def proofs(self) -> PurePath:
        return self.data / "proofs"

    @property
    def journals(self) -> PurePath:
        return self.data / "journals"

    @property
    def logs(self) -> PurePath:
        return self.data / "logs"

    @property
    def scratch(self) -> PurePath:
        return self.data / "scratch"

    @property
    def run_lock(self) -> PurePath:
        return self.data / "run.lock"

    @property
    def venv(self) -> PurePath:
        """The link that the user, PyCharm and run configurations name; it never names a generation."""
        return self.workspace / ".venv"

    @property
    def own(self) -> PurePath:
        """Our own folder inside the workspace."""
        return self.workspace / ".setup-llm-dev"

    @property
    def lock_file(self) -> PurePath:
        return self.workspace / "setup-llm-dev.lock.toml"

    @property
    def report(self) -> PurePath:
        return self.workspace / "report.json"

    def python_in(self, environment: PurePath) -> PurePath:
        """The interpreter inside an environment folder."""
        return environment / "Scripts" / "python.exe" if self.windows else environment / "bin" / "python"
