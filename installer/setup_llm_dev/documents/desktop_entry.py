"""Desktop entries of freedesktop.org: what makes a program appear in the menus of a Linux desktop."""

import re
from pathlib import PurePath

_ESCAPED = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SPECIAL_IN_QUOTES = re.compile(r'(["`$\\])')


def desktop_entry(*, name: str, comment: str, program: PurePath, icon: PurePath | None, wm_class: str | None) -> bytes:
    """A file that starts `program` with the file or folder that it is given; paths are absolute.

    wm_class: how the desktop knows that a window belongs to this entry.
    """
    keys = {
        "Version": "1.0",
        "Type": "Application",
        "Name": _string(name),
        "Comment": _string(comment),
        "Exec": f"{_string(_command(str(program)))} %f",
        "Icon": _string(str(icon)) if icon else "",
        "Categories": "Development;IDE;",
        "Terminal": "false",
        "StartupNotify": "true",
        "StartupWMClass": _string(wm_class or ""),
    }
    lines = ["[Desktop Entry]", *(f"{key}={value}" for key, value in keys.items() if value)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _command(program: str) -> str:
    """GLib looks for the program before it reads `%%` as `%`, and does not find one with such a name (tried)."""
    return f"/usr/bin/env {_quoted(program)}" if "%" in program and "=" not in program else _quoted(program)


def _quoted(argument: str) -> str:
    r"""One argument of a command line: in quotes, with what a shell would see escaped, and no field code in it.

    >>> _quoted('/opt/py charm $1 100%')
    '"/opt/py charm \\$1 100%%"'
    """
    return '"' + _SPECIAL_IN_QUOTES.sub(r"\\\1", argument).replace("%", "%%") + '"'


def _string(text: str) -> str:
    """A value as it stands in the file; this comes after the quoting, whose backslashes it doubles."""
    written = "".join(_ESCAPED.get(character, character) for character in text)
    return "\\s" + written[1:] if written.startswith(" ") else written
