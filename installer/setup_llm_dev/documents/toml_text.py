"""TOML text before it is parsed: its limits, and where in the file each key and value stands.

`tomllib` tells no line of a key that parsed well, and on Python 3.11 it recurses without a limit.
"""

import contextlib
import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

SIZE_LIMIT = 1024 * 1024
DEPTH_LIMIT = 32

TomlPath = tuple[str | int, ...]

# Raw text may hold tabs and newlines; a value may not. Both are refused anything that steers a terminal or
# makes text read otherwise than it is: C0 and C1 controls, bidirectional marks, invisible separators, tags.
_STEERING = r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
STEERING_IN_TEXT = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_STEERING}]")
STEERING_IN_VALUE = re.compile(rf"[\x00-\x1f\x7f-\x9f{_STEERING}]")

_TOKEN = re.compile(
    r'(?P<string>"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^\']++|\'(?!\'\'))*+\'{3,5}'
    r'|"(?!"")(?:[^"\\\n]++|\\[^\n])*+"|\'(?!\'\')[^\'\n]*+\')'
    r"|(?P<skip>[ \t]++|#[^\n]*+)|(?P<newline>\n)|(?P<bare>[^\s#\[\]{}=.,\"']++)|(?P<mark>[\[\]{}=.,])",
    re.DOTALL,
)


class Place(NamedTuple):
    """Where something stands in a text: line and column, both from 1."""

    line: int
    column: int


class TooDeepError(Exception):
    """More nested brackets, or more parts of one key, than `DEPTH_LIMIT`."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


def place_of(text: str, offset: int) -> Place:
    """The place of the character at `offset`."""
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def nearest_place(places: Mapping[TomlPath, Place], path: TomlPath) -> Place:
    """The place of `path`, or of the innermost of its parents that the text names."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, Place(1, 1))


def places_of(text: str) -> dict[TomlPath, Place]:
    """Path of each key, table and array element to where it first stands.

    Best effort: text that is no TOML gives the places up to there. Raises TooDeepError.
    """
    scan = _Scan(text)
    while scan.peek() != "":
        if scan.peek() == "[":
            scan.header()
        elif scan.kind in ("bare", "string"):
            scan.pair(scan.prefix)
        elif not scan.advance():
            break
    return scan.places


class _Scan:
    """A cursor over the tokens of a TOML text; comments and blanks are no tokens."""

    def __init__(self, text: str) -> None:
        self.places: dict[TomlPath, Place] = {}
        self.prefix: TomlPath = ()
        self._text = text
        self._offset = 0
        self._line, self._line_start = 1, 0
        self._arrays: dict[TomlPath, int] = {}
        self._token, self.kind, self._place = "", "", Place(1, 1)
        self.advance()

    def peek(self) -> str:
        return self._token

    def advance(self) -> bool:
        """To the next token; False at the end or at what is no TOML, where the token is empty."""
        while found := _TOKEN.match(self._text, self._offset):
            self._place = Place(self._line, self._offset - self._line_start + 1)
            self._token, self.kind = found.group(), found.lastgroup or ""
            if "\n" in self._token:
                self._line += self._token.count("\n")
                self._line_start = self._offset + self._token.rfind("\n") + 1
            self._offset = found.end()
            if self.kind != "skip":
                return True
        self._token, self.kind = "", "end"
        return False

    def header(self) -> None:
        """`[table]` or `[[array of tables]]`."""
        place, brackets = self._place, 0
        while self.peek() == "[":
            brackets += 1
            self.advance()
        path = self._with_indexes(self._key())
        for parts in range(1, len(path) + 1):
            self.places.setdefault(path[:parts], place)
        if brackets > 1:
            self._arrays[path] = self._arrays.get(path, -1) + 1
            path = (*path, self._arrays[path])
            self.places[path] = place
        self.prefix = path
        while self.peek() == "]":
            self.advance()

    def pair(self, prefix: TomlPath, depth: int = 1) -> None:
        """`key = value`."""
        place = self._place
        path = prefix
        for part in self._key():
            path = (*path, part)
            self.places.setdefault(path, place)
        if self.peek() == "=":
            self.advance()
            self._value(path, depth)

    def _value(self, path: TomlPath, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            raise TooDeepError(self._place)
        if self.peek() == "[":
            self._array(path, depth)
        elif self.peek() == "{":
            self._inline_table(path, depth)
        else:  # a number with a fraction is three tokens
            while self.kind in ("bare", "string") or self.peek() == ".":
                self.advance()

    def _array(self, path: TomlPath, depth: int) -> None:
        self.advance()
        index = 0
        while self.peek() not in ("]", ""):
            if self.kind == "newline":
                self.advance()
            elif self.peek() == ",":
                index += 1
                self.advance()
            else:
                self._element((*path, index), depth)
        self.advance()

    def _element(self, path: TomlPath, depth: int) -> None:
        before = self._offset
        self.places.setdefault(path, self._place)
        self._value(path, depth + 1)
        if self._offset == before:
            self.advance()

    def _inline_table(self, path: TomlPath, depth: int) -> None:
        self.advance()
        while self.peek() not in ("}", ""):
            if self.kind in ("bare", "string"):
                self.pair(path, depth + 1)
            else:
                self.advance()
        self.advance()

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while self.kind in ("bare", "string"):
            parts.append(_unquoted(self._token) if self.kind == "string" else self._token)
            if len(parts) > DEPTH_LIMIT:
                raise TooDeepError(self._place)
            self.advance()
            if self.peek() != ".":
                break
            self.advance()
        return tuple(parts)

    def _with_indexes(self, parts: tuple[str, ...]) -> TomlPath:
        """`[override.torch]` belongs to the last `[[override]]`."""
        path: TomlPath = ()
        for number, part in enumerate(parts):
            path = (*path, part)
            if path in self._arrays and number < len(parts) - 1:
                path = (*path, self._arrays[path])
        return path


def _unquoted(key: str) -> str:
    if key.startswith('"') and "\\" in key:
        with contextlib.suppress(tomllib.TOMLDecodeError):  # a bad escape: the parser will say so
            return str(tomllib.loads(f"key = {key}")["key"])
    return key[1:-1]
