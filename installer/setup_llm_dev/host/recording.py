"""Recording a computer: detection asks the real one through doors that keep its answers, without names and secrets."""

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from setup_llm_dev.host.files import Files
from setup_llm_dev.host.recorded import without_scripts
from setup_llm_dev.host.redaction import Redaction
from setup_llm_dev.host.run import Completed, Programs
from setup_llm_dev.host.world import Host

# What detection reads in a file; nothing else of it is kept. A file that is not here is kept up to a limit.
_KEPT_LINES = (
    ("/proc/cpuinfo", r"(processor|model name|Model)\s*:.*"),
    ("/proc/meminfo", r"MemTotal:.*"),
    ("/proc/self/status", r"(Uid|Gid|Groups):.*"),
    ("/etc/passwd", r"root:.*"),
    ("/etc/group", r"(render|video):.*"),
    ("/etc/os-release", r"(PRETTY_NAME|NAME|ID|ID_LIKE|VERSION_ID|VARIANT_ID)=.*"),
    ("/proc/1/cgroup", r".*"),
)
_EMPTIED = ("jdk.table.xml",)  # names of the user's projects and of computers elsewhere
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
                   "HSA_OVERRIDE_GFX_VERSION", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "container", "SUDO_UID",
                   "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "SYSTEMROOT",
                   "SYSTEMDRIVE", "LOCALAPPDATA", "APPDATA", "PROGRAMFILES", "PATHEXT", "NUMBER_OF_PROCESSORS",
                   "PROCESSOR_ARCHITECTURE", "PROCESSOR_ARCHITEW6432", "PROCESSOR_IDENTIFIER")  # fmt: skip
_ONLY_SET = ("PYTHONPATH", "KUBERNETES_SERVICE_HOST")  # that they are set is all that counts
_WHOLE_FOLDERS = ("/dev", "/sys", "/proc/driver")
_WORTH_A_NAME = re.compile(r"ld-musl-|lib(cudart|cublas|cudnn|nvJitLink|nccl)")
_LIMIT = 1 << 16


class Kept:
    """Everything that was asked and answered, as it goes into recording.toml. Safe for threads."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.denied: set[str] = set()
        self.programs: dict[tuple[str, ...], Completed] = {}
        self.found: set[str] = set()  # programs that were looked for on PATH and are there
        self.free_bytes = 0
        self.lock = threading.Lock()

    def text(self, name: str, told: str) -> None:
        with self.lock:
            if len(told) >= len(self.texts.get(name, "")):
                self.texts[name] = told

    def there(self, path: PurePath) -> None:
        with self.lock:
            self.texts.setdefault(str(path), "")


class RecordingFiles(Files):
    """Another door to the disk that keeps what was asked."""

    def __init__(self, door: Files, kept: Kept) -> None:
        self._door = door
        self._kept = kept

    def read_bytes(self, path: PurePath, limit: int = 64 << 20) -> bytes:
        try:
            content = self._door.read_bytes(path, limit)
        except PermissionError:
            self._kept.denied.add(str(path))
            raise
        self._links_of(path)
        told = kept_lines(str(path), content[:_LIMIT].decode("utf-8", "replace"))
        self._kept.text(str(self._real(path)), told)
        return content

    def exists(self, path: PurePath) -> bool:
        there = self._door.exists(path)
        if there:
            self._links_of(path)
            self._note(path)
        return there

    def is_dir(self, path: PurePath) -> bool:
        there = self._door.is_dir(path)
        if there:
            self._kept.there(self._real(path) / "…")
        return there

    def is_file(self, path: PurePath) -> bool:
        there = self._door.is_file(path)
        if there:
            self._links_of(path)
            self._note(path)
        return there

    def list_dir(self, path: PurePath) -> tuple[str, ...]:
        """Names count only where they were asked for next, or in folders that hold nothing of the user's."""
        names = self._door.list_dir(path)
        whole = str(path).startswith(_WHOLE_FOLDERS)
        for name in names:
            if whole or _WORTH_A_NAME.match(name):
                self._links_of(path / name)
        if names:
            self._links_of(path)
        for name in names:
            if whole or _WORTH_A_NAME.match(name):
                self._note(path / name)
        return names

    def resolve(self, path: PurePath) -> Path:
        self._links_of(path)
        return self._door.resolve(path)

    def link_target(self, path: PurePath) -> str | None:
        target = self._door.link_target(path)
        if target is not None:
            self._kept.links[str(path)] = target
        return target

    def free_bytes(self, path: PurePath) -> int:
        self._kept.free_bytes = self._door.free_bytes(path)
        return self._kept.free_bytes

    def _real(self, path: PurePath) -> PurePath:
        """Nothing below /proc: `self` is another process in the replay."""
        return path if path.parts[:2] == ("/", "proc") else self._door.resolve(path)

    def _note(self, path: PurePath) -> None:
        real = self._real(path)
        if self._door.is_dir(real):
            self._kept.there(real / "…")
        elif self._door.exists(real):
            self._kept.there(real)

    def _links_of(self, path: PurePath) -> None:
        """Every link on the way, or the replay would lead elsewhere."""
        if path.parts[:2] == ("/", "proc"):
            return
        for part in (*reversed(path.parents), path):
            if str(part) not in self._kept.links:
                target = self._door.link_target(part)
                if target is not None:
                    self._kept.links[str(part)] = target
                    self._links_of(part.parent / target if not target.startswith("/") else type(path)(target))


class RecordingPrograms(Programs):
    """Another door to programs that keeps what they said."""

    def __init__(self, door: Programs, kept: Kept) -> None:
        self._door = door
        self._kept = kept

    def find(self, name: str) -> Path | None:
        path = self._door.find(name)
        if path is not None:
            self._kept.found.add(str(path))
        return path

    def run(self, argv: Sequence[str | PurePath], **settings: Any) -> Completed:
        answer = self._door.run(argv, **settings)
        self._kept.programs[without_scripts(tuple(map(str, argv)))] = answer
        return answer

    def built_environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return self._door.built_environment(extra)


def recording(host: Host) -> tuple[Host, Kept]:
    """The same world, and what will have been asked of it."""
    kept = Kept()
    doors = replace(host, files=RecordingFiles(host.files, kept), programs=RecordingPrograms(host.programs, kept))
    return doors, kept


def kept_lines(path: str, text: str) -> str:
    """Of a file that tells more than detection wants to know, the lines that it wants."""
    if path.endswith(_EMPTIED):
        return ""
    for name, pattern in _KEPT_LINES:
        if path == name:
            return "".join(line + "\n" for line in text.splitlines() if re.fullmatch(pattern, line) or not line)
    return text


def as_document(host: Host, kept: Kept, redaction: Redaction) -> dict[str, Any]:
    """The table of recording.toml: what the computer is, and every answer, redacted."""
    text = redaction.text
    environment = {name: text(host.environment[name]) for name in _KEPT_VARIABLES if host.environment.get(name)}
    environment |= {name: "redacted" for name in _ONLY_SET if host.environment.get(name)}
    return {
        "home": text(str(host.home)),
        "disk_free_bytes": kept.free_bytes,
        "denied": sorted(map(text, kept.denied)),
        "found": sorted(map(text, kept.found - {argv[0] for argv in kept.programs})),
        "origin": {"kind": "observed", "source": "setup-llm-dev detect --record"},
        "system": {
            "platform": host.system.platform,
            "machine": host.system.machine,
            "release": text(host.system.release),
            "executable": text(host.system.executable),
        },
        "environment": environment,
        "files": {text(name): text(content) for name, content in sorted(kept.texts.items())},
        "links": {text(name): text(target) for name, target in sorted(kept.links.items())},
        "programs": [_program(answer, argv, text) for argv, answer in sorted(kept.programs.items())],
    }


def _program(answer: Completed, argv: tuple[str, ...], text: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"argv": [text(word) for word in argv]}
    if answer.timed_out:
        return told | {"timed_out": True}
    if answer.code:
        told["code"] = answer.code
    for name, said in (("stdout", answer.stdout), ("stderr", answer.stderr)):
        if said:
            told[name] = text(said[:_LIMIT])
    return told
