"""Text on a terminal: how wide it is, where it breaks, and how it stays harmless and spellable."""

import unicodedata
from collections.abc import Iterator

_PLAIN = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "→": "->", "≥": ">=", "≤": "<=",
     "±": "+-", "×": "x", "·": "-", "✓": "ok", "✗": "FAILED", "«": '"', "»": '"'}
)  # fmt: skip
# A line must not begin with these, so they stay with the character before them.
_CLOSING = frozenset("，。、；：？！）》」』】”’…%)]")
# And must not end with these.
_OPENING = frozenset("（《「『【“‘([")


def inert(text: str) -> str:
    """`text` on one line with every control character spelled out: escape sequences, newlines, bidi marks.

    >>> inert("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def one_line(text: str) -> str:
    """A sentence whose line breaks became spaces."""
    return " ".join(text.split())


def spelled(text: str, encoding: str | None) -> str:
    """`text` in characters that `encoding` has: typography becomes ASCII, anything else an escape."""
    if encoding is None:  # a stream of characters, not of bytes
        return text
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        plain = text.translate(_PLAIN)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


def speaks_unicode(encoding: str | None) -> bool:
    """Whether bars, spinners and check marks can be shown."""
    return (encoding or "utf").lower().startswith("utf")


def cells(text: str) -> int:
    """Columns that `text` takes: two for a Chinese character, none for a combining one.

    >>> cells("微调 ok")
    7
    """
    return sum(map(_cell, text))


def padded(text: str, width: int) -> str:
    """`text` with spaces behind it, up to `width` columns."""
    return text + " " * (width - cells(text))


def wrapped(text: str, width: int | None) -> tuple[str, ...]:
    """Lines of at most `width` columns; a word (a path, a command) is never cut, so it may stand out.

    >>> wrapped("one two three", 7)
    ('one two', 'three')
    """
    lines = text.split("\n")
    if width is None:
        return tuple(lines)
    return tuple(piece for line in lines for piece in _fill(line, max(width, 8)))


def _fill(line: str, width: int) -> Iterator[str]:
    current = ""
    for chunk in _chunks(line):
        if current.strip() and cells(current + chunk.rstrip()) > width:
            yield current.rstrip()
            current = chunk.lstrip()
        else:
            current += chunk
    yield current.rstrip()


def _chunks(line: str) -> Iterator[str]:
    """Pieces between which a line may break: after a space, and around Chinese characters."""
    chunk = ""
    for character in line:
        glued = character == " " or character in _CLOSING or chunk[-1:] in _OPENING
        breakable = chunk and (chunk[-1] == " " or _cell(chunk[-1]) == 2 or _cell(character) == 2)
        if breakable and not glued:
            yield chunk
            chunk = ""
        chunk += character
    yield chunk


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
