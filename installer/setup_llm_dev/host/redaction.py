"""What must not leave a computer in a recording: names of people and computers, numbers of one thing, secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

USER, COMPUTER = "user", "computer"
# Names that name nobody: accounts of systems and services, and words that stand in paths of every system.
_NOBODY = frozenset((
    "root", "admin", "administrator", "ubuntu", "debian", "fedora", "centos", "arch", "alpine", "user", "users",
    "runner", "runneradmin", "vagrant", "jovyan", "colab", "kaggle", "docker", "podman", "ec2-user",
    "azureuser", "nvidia", "amd", "intel", "cuda", "python", "pycharm", "jetbrains", "local", "home", "usr",
    "lib", "bin", "dev", "sys", "proc", "etc", "opt", "var", "windows", "linux", "darwin", "macos", "localhost",
    "computer", "default", "public", "guest", "test",
))  # fmt: skip
_PATTERNS = (
    (re.compile(r"(?i)\b(GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/\d+/\d+)?"), r"\1-redacted"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "uuid-redacted"),
    (re.compile(r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b(?![:.])", re.IGNORECASE), "mac-redacted"),
    (re.compile(r"\b[0-9a-f]{32,}\b", re.IGNORECASE), "number-redacted"),
    (re.compile(r"(?i)(serial(?:[ _-]?(?:number|no))?\"?\s*[:=]\s*\"?)[^\s\",}]+"), r"\1redacted"),
    (re.compile(r"(?i)(\b(?:token|secret|password|passwd|api[_-]?key)\"?\s*[:=]\s*\"?)[^\s\",}&]+"), r"\1redacted"),
    (re.compile(r"\b(?:hf|ghp|gho|ghs|ghu|glpat|pypi|sk|xox[abp])[_-][A-Za-z0-9_-]{16,}"), "token-redacted"),
    (re.compile(r"\b(?:github_pat|AKIA)[A-Za-z0-9_]{16,}"), "token-redacted"),
    (re.compile(r"(?<![\w.])(/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2})(?!Public\b)[^/\\:;\"'\s]+"), r"\1user"),
    (re.compile(r"(?i)(://)[^/\s@]+@"), r"\1redacted@"),
    (re.compile(r"(?<![/\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"), "address-redacted"),
)

# What distributions and clouds put behind the numbers of their kernels.
_KERNEL_WORDS = re.compile(
    r"(?:[-.+_](?:generic|lowlatency|realtime|rt|lts|zen\d*|arch\d*|hardened|aws|azure|gcp|oracle|oem|kvm|cloud|raspi|"
    r"nvidia|tegra|64k|microsoft|standard|WSL2|fc\d+|el\d\w*|amzn\d*|deb\d+u?\d*|bpo|pve|default|linuxkit|virt|"
    r"MANJARO|gentoo|cm\d|amd64|x86_64|aarch64|arm64|\d+))*\+?"
)


@dataclass(frozen=True)
class Redaction:
    """Who and what is not to be named: the user, the computer, the home folder, who built the kernel."""

    user: str = ""
    computer: str = ""
    home: str = ""
    new_home: str = ""
    release: str = ""  # the kernel's

    def text(self, text: str) -> str:
        """The text with every such thing replaced; the same thing always by the same word."""
        if self.home and len(self.home) > 1:
            text = _word(self.home).sub(self.new_home.replace("\\", r"\\"), text)
        if self.release:
            text = text.replace(self.release, published_release(self.release))
        for name, instead in ((self.user, USER), (self.computer, COMPUTER), (self.computer.split(".")[0], COMPUTER)):
            if name and name.lower() not in _NOBODY:
                text = _word(name).sub(instead, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


def published_release(release: str) -> str:
    """The kernel's release without words that its builder put in: they may name a company, or the computer.

    >>> published_release("6.8.0-88-generic"), published_release("6.12.3-acme-gpu07+")
    ('6.8.0-88-generic', '6.12.3-custom')
    """
    numbers = re.match(r"\d+(?:\.\d+)*(?:-\d+(?:\.\d+)*)*(?:-rc\d+)?", release)
    rest = release[numbers.end() :] if numbers else release
    if not rest or _KERNEL_WORDS.fullmatch(rest):
        return release
    return f"{numbers[0] if numbers else ''}-custom".lstrip("-")


def redaction_for(environment: Mapping[str, str], home: PurePath, computer: str, release: str = "") -> Redaction:
    """Of this user on this computer. Root's home stays as it is: it is nobody's."""
    named = (environment.get(name) for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"))
    user = home.name if home.name.lower() not in _NOBODY else next((n for n in named if n), "")
    new_home = home if home.name.lower() in ("root", "") else home.parent / USER
    return Redaction(user=user, computer=computer, home=str(home), new_home=str(new_home), release=release)


def _word(name: str) -> re.Pattern[str]:
    """Whole words only, so that `ann` leaves `channel` alone."""
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE)
