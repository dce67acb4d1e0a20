"""The IDEs in our folder when everything goes: which of them are ours, how they go, and what stays of them."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from setup_llm_dev.errors import Busy
from setup_llm_dev.host.ide.running import running_from
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message
from setup_llm_dev.steps.ide_tree import UnpackedIde, read_facts, take_away, updated_itself, users_part

_FACTS = re.compile(r"pycharm-.+\.json")
_HALF_WAY = re.compile(r"\..+\.(removed|tmp|new)|\.setup-llm-dev\.\d+\..+")
_SHOWN = 5


def our_paths(host: Host, ides: PurePath) -> tuple[Path, ...]:
    """The trees that we unpacked, the facts of those that are gone, and what killed runs left.

    A name alone proves nothing: what is wanted is what we wrote down of the tree when it was made.
    """
    if not host.files.is_dir(ides) or host.files.link_target(ides) is not None:
        return ()
    found = [Path(ides / name) for name in host.files.list_dir(ides) if _HALF_WAY.fullmatch(name)]
    for facts, tree, known in _known(host, ides):
        if not _stays_whole(host, tree, known):
            found.append(tree if host.files.is_dir(tree) else facts)
    return tuple(found)


def kept_paths(host: Host, ides: PurePath) -> Iterator[tuple[Message, Path]]:
    """What stays in that folder, whole or in part, and why."""
    if not host.files.is_dir(ides) or host.files.link_target(ides) is not None:
        return
    ours = set(our_paths(host, ides))
    facts = {tree: (place, known) for place, tree, known in _known(host, ides)}
    for path in (Path(ides / name) for name in host.files.list_dir(ides)):
        if path in facts and path in ours:
            stays = users_part(host, path, facts[path][1].tree)
            if stays:
                yield message("what you put or changed in it: {files}", files=_few(stays)), path
        elif path in facts and host.files.link_target(path) is None:
            yield message("PyCharm has updated itself since, so it is yours"), path
        elif path not in ours and path not in {place for place, _ in facts.values()}:
            yield message("not made by setup-llm-dev"), path


def remove_ours(host: Host, path: PurePath) -> tuple[Message, ...]:
    """Remove one of `our_paths`; what is left of a tree is named. Raises Busy (7) while an IDE runs out of it."""
    known = read_facts(host, _facts_of(path))
    if known is None:
        _remove_leftover(host, path)
        return ()
    who = running_from(host, path)
    if who is not None:
        raise Busy(who, hint=message("close PyCharm, then run the same command again"))
    left = take_away(host, Path(path), known.tree) if host.files.is_dir(path) else ()
    host.files.remove(_facts_of(path))
    return left


def _remove_leftover(host: Host, path: PurePath) -> None:
    """What a killed run left. A tree whose facts are gone is what an undo left of it, which is the user's."""
    if _HALF_WAY.fullmatch(path.name) and host.files.is_dir(path):
        host.files.remove_tree(path)
    elif _HALF_WAY.fullmatch(path.name) or _FACTS.fullmatch(path.name):
        host.files.remove(path)


def _known(host: Host, ides: PurePath) -> Iterator[tuple[Path, Path, UnpackedIde]]:
    """Facts that can be read, where their tree is, and what they say."""
    for name in host.files.list_dir(ides):
        known = read_facts(host, ides / name) if _FACTS.fullmatch(name) else None
        if known is not None:
            yield Path(ides / name), Path(ides / name.removesuffix(".json")), known


def _facts_of(tree: PurePath) -> PurePath:
    return tree.with_name(tree.name + ".json")


def _stays_whole(host: Host, tree: Path, known: UnpackedIde) -> bool:
    return host.files.link_target(tree) is not None or updated_itself(host, tree, known)


def _few(names: tuple[str, ...]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
