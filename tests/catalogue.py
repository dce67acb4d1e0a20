"""The translation catalogues: extracted from the source, kept in .po files, compiled to .mo, byte for byte.

python -m tests.catalogue            what is missing, obsolete or wrong; 1 if anything is
python -m tests.catalogue --update   bring the .po files up to date, compile the .mo files, then the same
"""

import ast
import io
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from setup_llm_dev.cli.language import ARGPARSE, CHINESE, DOMAIN, FOLDER

SOURCE = Path(FOLDER).parent
_SMOKE = SOURCE / "smoke"  # stands apart; its sentences are said again in documents/causes.py
_HEADER = (
    "Content-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\n"
    f"Language: {CHINESE}\n"
    "Plural-Forms: nplurals=1; plural=0;\n"
)
Key = str | tuple[str, str]


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call of `message` in the package, with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        if _SMOKE in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "message":
                yield path, node


def literal(node: ast.Call) -> str | None:
    """The template, or None where it is not a literal."""
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def extracted() -> dict[Key, set[str]]:
    """Every template that has words, with the files that say it; argparse's words with none."""
    found: dict[Key, set[str]] = {}
    for path, node in calls():
        template = literal(node)
        if template is not None and has_words(template):
            found.setdefault(template, set()).add(path.relative_to(SOURCE).as_posix())
    for words in ARGPARSE:
        found.setdefault(words, set())
    return found


def has_words(template: str) -> bool:
    """Whether anything but placeholders is there to be translated; punctuation is, since Chinese has its own."""
    return any(text.strip() for text, *_ in Formatter().parse(template))


def placeholders(template: str) -> tuple[str, ...]:
    """Names in braces, or printf's conversions, sorted."""
    printf = re.findall(r"%(?:\(\w+\))?[sdr]", template)
    if printf:
        return tuple(sorted(printf))
    return tuple(sorted(name for _, name, _, _ in Formatter().parse(template) if name is not None))


def po_file() -> Path:
    return Path(FOLDER) / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.po"


def mo_file() -> Path:
    return po_file().with_suffix(".mo")


def translations() -> dict[Key, str]:
    """What the .po file says; an untranslated or fuzzy entry is empty."""
    with po_file().open("rb") as file:
        catalog = read_po(file, locale=CHINESE)
    return {_key(entry.id): "" if entry.fuzzy else _first(entry.string) for entry in catalog if entry.id}


def po_text(known: dict[Key, str]) -> bytes:
    """The .po file for what the source says now, with the translations that are known."""
    catalog = Catalog(locale=CHINESE, fuzzy=False)
    for key, files in sorted(extracted().items(), key=lambda item: str(item[0])):
        text = known.get(key, "")
        string = (text,) if isinstance(key, tuple) else text
        catalog.add(key, string, locations=[(name, 0) for name in sorted(files)])
    body = io.BytesIO()
    write_po(body, catalog, width=100, omit_header=True, include_lineno=False, sort_output=True)
    head = 'msgid ""\nmsgstr ""\n' + "".join(f'"{line}\\n"\n' for line in _HEADER.splitlines())
    return f"# Simplified Chinese, for people who fine-tune models.\n{head}\n".encode() + body.getvalue()


def mo_bytes(known: dict[Key, str]) -> bytes:
    """The .mo file in GNU's format, little-endian, without anything that changes from one run to the next."""
    entries = {b"": _HEADER.encode()}
    for key, text in known.items():
        if text:
            entries["\0".join(key).encode() if isinstance(key, tuple) else key.encode()] = text.encode()
    names = sorted(entries)
    begin = 28 + 16 * len(names)
    tables: list[tuple[int, int]] = []
    data = b""
    for part in (*names, *(entries[name] for name in names)):
        tables.append((len(part), begin + len(data)))
        data += part + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(names), 28, 28 + 8 * len(names), 0, begin)
    return head + b"".join(struct.pack("<2I", *row) for row in tables) + data


def problems() -> list[str]:
    """Everything that keeps the catalogue from being complete."""
    known, wanted = translations(), extracted()
    found = [f"{path.name}:{node.lineno}: not a literal" for path, node in calls() if literal(node) is None]
    found += [f"missing: {key!r}" for key in wanted if key not in known]
    found += [f"obsolete: {key!r}" for key in known if key not in wanted]
    found += [f"not translated: {key!r}" for key, text in known.items() if not text.strip()]
    for key, text in known.items():
        english = key[1] if isinstance(key, tuple) else key
        if text and placeholders(english) != placeholders(text):
            found.append(f"other placeholders: {key!r}: {text!r}")
    if not mo_file().is_file() or mo_file().read_bytes() != mo_bytes(known):
        found.append(f"{mo_file().name} is not what {po_file().name} says")
    return found


def update() -> None:
    """Rewrite both files; translations of templates that are gone are dropped."""
    known = translations() if po_file().is_file() else {}
    po_file().parent.mkdir(parents=True, exist_ok=True)
    po_file().write_bytes(po_text(known))
    mo_file().write_bytes(mo_bytes(translations()))


def _key(identifier: str | tuple[str, ...] | list[str]) -> Key:
    return identifier if isinstance(identifier, str) else (identifier[0], identifier[1])


def _first(string: str | tuple[str, ...] | list[str] | None) -> str:
    return string if isinstance(string, str) else string[0] if string else ""


def main(argv: list[str]) -> int:
    if argv == ["--update"]:
        update()
    found = problems()
    print("\n".join(found) or "complete")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
