"""What a member of an archive may be: its name, its size, its number; pure, and the same on every system."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum

from setup_llm_dev.errors import Corrupt
from setup_llm_dev.messages import message

_SHOWN = 160  # characters of a hostile name that a person needs to see


class Rule(Enum):
    """Why an archive is refused; the value is the sentence for people."""

    ABSOLUTE = message("the name is absolute")
    TRAVERSAL = message("the name climbs out with ..")
    EMPTY_NAME = message("a part of the name is empty")
    DOT_NAME = message("a part of the name is a single dot")
    BACKSLASH = message("the name has a backslash")
    COLON = message("the name has a colon (a drive letter or a second stream on Windows)")
    CONTROL = message("the name has a control character")
    FORBIDDEN = message("the name has a character that Windows forbids")
    RESERVED = message("the name is reserved on Windows")
    TRAILING = message("the name ends with a dot or a space, which Windows drops")
    ENCODING = message("the name is not valid UTF-8")
    NAME_LENGTH = message("the name is too long")
    DEPTH = message("the name is too deep")
    DUPLICATE = message("the name comes twice")
    TWIN = message("two names differ only by case or by the spelling of an accent")
    FILE_AS_FOLDER = message("a file stands where a folder is wanted, or a folder where a file is")
    THROUGH_LINK = message("the name leads through a link")
    TWO_ROOTS = message("more than one thing at the top, where one folder is wanted")
    LINK_ABSOLUTE = message("the link has an absolute target")
    LINK_OUT = message("the link leads out of the archive")
    LINK_LOOP = message("the link never ends, or passes too many others")
    LINK_TARGET = message("the link has a target that is not portable")
    HARD_LINK = message("the hard link is not to an earlier file of the archive")
    SPECIAL = message("it is a device, a pipe, a socket or of unknown kind")
    SPARSE = message("it is a sparse file")
    SETUID = message("it would run as another user (setuid or setgid)")
    KIND = message("its name, its size and its kind contradict each other")
    COUNT = message("more members than the limit")
    TOTAL = message("larger in all than the limit")
    SINGLE = message("one file larger than the limit")
    RATIO = message("it expands more than the limit")
    PADDING = message("endless padding")
    PIECES = message("too many compressed pieces in a row")
    TRUNCATED = message("it ends too early")
    DAMAGED = message("it is damaged (a checksum or a header is wrong)")
    UNKNOWN = message("it is not an archive of the announced kind")
    GARBAGE = message("other bytes follow the end of the archive")
    PREFIX = message("other bytes stand before or between the members")
    TWO_KINDS = message("it can be read as two kinds of archive")
    EXTENSION = message("an extension header is not as it should be")
    DISAGREE = message("the two directories of the archive disagree")
    OVERLAP = message("two members share bytes")
    ENCRYPTED = message("it is encrypted")
    METHOD = message("it is compressed in a way we don't take")
    VOLUMES = message("it is a part of several volumes")
    NOTHING = message("it is empty")


class UnsafeArchive(Corrupt):
    """An archive that we don't unpack: `rule` says why, `member` which name, with every odd character visible."""

    def __init__(self, rule: Rule, member: str | bytes = "") -> None:
        self.rule = rule
        self.member = shown(member)
        if self.member:
            text = message("the archive is refused: {why}: {member}", why=rule.value, member=self.member)
        else:
            text = message("the archive is refused: {why}", why=rule.value)
        super().__init__(text, hint=message("nothing of it was kept; download it again from its official site"))


@dataclass(frozen=True)
class Limits:
    """How much one archive may bring; sizes in bytes, the ratio is bytes out for each byte in."""

    members: int = 200_000  # PyCharm has some 60,000
    total: int = 16 << 30
    single: int = 4 << 30
    ratio: int = 100
    ratio_from: int = 64 << 20  # below that nobody is hurt, and small archives of text do reach high ratios
    depth: int = 64
    path: int = 1024  # bytes of UTF-8
    name: int = 255  # of one part


USUAL_LIMITS = Limits()
_PLAIN = re.compile(r"[A-Za-z0-9_@+$(-][A-Za-z0-9_@+$()=,~#.-]*(?<!\.)")
_DOTTED = re.compile(r"\.[A-Za-z0-9_-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN = re.compile(r'[<>"|?*]')
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
_RESERVED |= {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}


def shown(name: str | bytes) -> str:
    """A name from outside for a person: what can't be printed is escaped, what is very long is cut."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def decoded(raw: bytes) -> str:
    """A member's name from its bytes, which must be UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UnsafeArchive(Rule.ENCODING, raw) from None


def check_path(path: str, limits: Limits) -> None:
    """A whole name, without the slash that marks a folder: each part portable, not too long, not too deep."""
    if not path:
        raise UnsafeArchive(Rule.EMPTY_NAME, path)
    if path[0] == "/":
        raise UnsafeArchive(Rule.ABSOLUTE, path)
    check_length(path, limits)
    for part in path.split("/"):
        check_part(part, path, limits)


def check_length(path: str, limits: Limits) -> None:
    """A whole name must be neither too long nor too deep."""
    if len(path) * 4 > limits.path and len(path.encode("utf-8", "surrogatepass")) > limits.path:
        raise UnsafeArchive(Rule.NAME_LENGTH, path)
    if path.count("/") >= limits.depth:
        raise UnsafeArchive(Rule.DEPTH, path)


def check_part(part: str, path: str, limits: Limits) -> None:
    """One part of a name; `path` is the whole, for the message."""
    if len(part) < limits.name and (_PLAIN.fullmatch(part) or _DOTTED.fullmatch(part)):
        if len(part) >= 3 and part.partition(".")[0].lower() in _RESERVED:
            raise UnsafeArchive(Rule.RESERVED, path)
        return
    rule = _why_not(part, limits)
    if rule:
        raise UnsafeArchive(rule, path)


def _why_not(part: str, limits: Limits) -> Rule | None:
    special = {"": Rule.EMPTY_NAME, ".": Rule.DOT_NAME, "..": Rule.TRAVERSAL}.get(part)
    if special:
        return special
    if any("\ud800" <= c <= "\udfff" for c in part):
        return Rule.ENCODING
    for found, rule in (
        ("\\" in part, Rule.BACKSLASH),
        (":" in part, Rule.COLON),
        (_CONTROL.search(part), Rule.CONTROL),
        (_FORBIDDEN.search(part), Rule.FORBIDDEN),
        (part[-1] in ". ", Rule.TRAILING),
        (part.partition(".")[0].rstrip().lower() in _RESERVED, Rule.RESERVED),
        (len(part.encode()) > limits.name, Rule.NAME_LENGTH),
    ):
        if found:
            return rule
    return None


def fold(part: str) -> str:
    """What two names share that some file system takes for one: case, and how accents are spelled.

    Characters without a shape are dropped: HFS+ ignores them when it compares names.
    """
    if part.isascii():
        return part.lower()
    seen = "".join(c for c in part if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFD", seen).upper().casefold()
    return unicodedata.normalize("NFD", folded)


def check_link_target(target: str, path: str, limits: Limits) -> None:
    """The text of a symbolic link at `path`: relative, portable; where it leads is the tree's business."""
    if not target:
        raise UnsafeArchive(Rule.LINK_TARGET, path)
    if target[0] == "/":
        raise UnsafeArchive(Rule.LINK_ABSOLUTE, f"{path} -> {target}")
    check_length(target, limits)
    for part in target.split("/"):
        if part not in (".", "..") and _why_not(part, limits):
            raise UnsafeArchive(Rule.LINK_TARGET, f"{path} -> {target}")
