"""The tree that an archive describes: what was seen where, and where each link leads; nothing is written here."""

from collections.abc import Callable, Iterator

from setup_llm_dev.host.archives.rules import (
    Limits,
    Rule,
    UnsafeArchive,
    check_length,
    check_link_target,
    check_part,
    check_path,
    fold,
)

_HOPS = 40  # as many as Linux follows


class Link:
    """A symbolic link of the archive; made on the disk only when everything else is there.

    `end` and `hops` are known once it was followed: the place it leads to, and how many links that takes.
    """

    __slots__ = ("busy", "end", "hops", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self.end: list[str] | None = None
        self.hops = 1
        self.busy = False


class File:
    """A regular file; one value stands for all."""

    __slots__ = ()


class Folder:
    """A folder: its exact names, and what stands under each, found by the folded name."""

    __slots__ = ("exact", "nodes", "said")

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.exact: dict[str, str] = {}  # only where the folded name differs
        self.said = False  # whether a member of the archive was this folder itself

    def find(self, name: str, path: str) -> "Node | None":
        """What has this name; a twin of it is an error."""
        key = fold(name)
        node = self.nodes.get(key)
        if node is not None and self.exact.get(key, key) != name:
            raise UnsafeArchive(Rule.TWIN, path)
        return node

    def add(self, name: str, node: "Node") -> None:
        key = fold(name)
        self.nodes[key] = node
        if key != name:
            self.exact[key] = name

    def items(self) -> "Iterator[tuple[str, Node]]":
        return ((self.exact.get(key, key), node) for key, node in self.nodes.items())


Node = Folder | File | Link
_FILE = File()


class Tree:
    """Grows member by member; every method raises `UnsafeArchive` for what may not be.

    Shape: paths are `a/b/c` without a slash at either end. `made` is called for each folder that comes into being,
    parents first, so that the disk follows.
    """

    def __init__(self, limits: Limits, made: Callable[[str], None], *, single_root: bool = False) -> None:
        self.limits = limits
        self.root = Folder()
        self.root_name: str | None = None
        self._single_root = single_root
        self._floor = 1 if single_root else 0  # what will be published: nothing may lead above it
        self._made = made
        self._folders: dict[str, Folder] = {"": self.root}
        self._count = 0

    def folder(self, path: str, *, again: bool) -> None:
        """A folder; `again` says whether the archive may name it twice (tar writers do, and it changes nothing)."""
        check_path(path, self.limits)
        folder = self._enter(path, path)
        if folder.said and not again:
            raise UnsafeArchive(Rule.DUPLICATE, path)
        self._counted(path)
        folder.said = True

    def file(self, path: str) -> tuple[str, str]:
        """A regular file; returns its folder's path and its name there."""
        return self._place(path, _FILE)

    def hard_link(self, path: str, target: str) -> tuple[str, str]:
        """A second name for an earlier regular file."""
        found = self._earlier(target, path)
        if not isinstance(found, File):
            raise UnsafeArchive(Rule.HARD_LINK, f"{path} -> {target}")
        return self._place(path, found)

    def link(self, path: str, target: str) -> tuple[str, str]:
        """A symbolic link; where it leads is asked at the end, by `check_links`."""
        check_link_target(target, path, self.limits)
        return self._place(path, Link(target))

    def links(self) -> Iterator[tuple[str, str, str]]:
        """Every symbolic link as (folder, name, target)."""
        for path, folder in self._folders.items():
            for name, node in folder.items():
                if isinstance(node, Link):
                    yield path, name, node.target

    def check_links(self) -> None:
        """Every link must end inside, along every step of its way, other links included."""
        for path, folder in self._folders.items():
            for name, node in folder.items():
                if isinstance(node, Link):
                    self._end(node, path.split("/") if path else [], f"{path}/{name} -> {node.target}")

    def _place(self, path: str, node: Node) -> tuple[str, str]:
        parent, _, name = path.rpartition("/")
        folder = self._folders.get(parent)
        if folder is None or not parent:  # "" is the parent of `/a` too
            check_path(path, self.limits)
            folder = self._enter(parent, path)
        else:
            check_part(name, path, self.limits)
            check_length(path, self.limits)
        if not parent and self._single_root:
            raise UnsafeArchive(Rule.TWO_ROOTS, path)
        existing = folder.find(name, path)
        if existing is not None:
            raise UnsafeArchive(Rule.FILE_AS_FOLDER if isinstance(existing, Folder) else Rule.DUPLICATE, path)
        self._counted(path)
        folder.add(name, node)
        return parent, name

    def _enter(self, path: str, member: str) -> Folder:
        """The folder at `path`, made where it is not yet; nothing on the way may be a file or a link."""
        known = self._folders.get(path)
        if known is not None:
            return known
        parent, _, name = path.rpartition("/")
        folder = self._enter(parent, member)
        existing = folder.find(name, member)
        if existing is not None:
            raise UnsafeArchive(Rule.THROUGH_LINK if isinstance(existing, Link) else Rule.FILE_AS_FOLDER, member)
        if not parent:
            self._one_root(name, member)
        self._counted(member)
        new = Folder()
        self._made(path)
        folder.add(name, new)
        self._folders[path] = new
        return new

    def _one_root(self, name: str, member: str) -> None:
        if self.root_name is not None and self._single_root:
            raise UnsafeArchive(Rule.TWO_ROOTS, member)
        self.root_name = name

    def _counted(self, path: str) -> None:
        self._count += 1
        if self._count > self.limits.members:
            raise UnsafeArchive(Rule.COUNT, path)

    def _earlier(self, target: str, path: str) -> Node | None:
        check_path(target, self.limits)
        parent, _, name = target.rpartition("/")
        folder = self._folders.get(parent)
        return folder.find(name, path) if folder is not None else None

    def _end(self, link: Link, place: list[str], shown: str, depth: int = 1) -> list[str]:
        """Where a link that stands in the folder `place` leads; each is followed once."""
        if link.end is None:
            if link.busy or depth > _HOPS:
                raise UnsafeArchive(Rule.LINK_LOOP, shown)
            link.busy = True
            link.end = self._walk(link, place, shown, depth)
        if link.hops > _HOPS:
            raise UnsafeArchive(Rule.LINK_LOOP, shown)
        return link.end

    def _walk(self, link: Link, place: list[str], shown: str, depth: int) -> list[str]:
        """Names that the archive doesn't have lead nowhere, which harms nobody; but nothing climbs out of nowhere,
        since what such a name will be one day is not known.
        """
        folder = self._folders.get("/".join(place))
        for part in link.target.split("/"):
            if part == ".":
                continue
            if part == "..":
                if folder is None or len(place) <= self._floor:
                    raise UnsafeArchive(Rule.LINK_OUT, shown)
                place = place[:-1]
            else:
                node = folder.find(part, shown) if folder is not None else None
                if isinstance(node, Link):
                    place = self._end(node, place, shown, depth + 1)
                    link.hops += node.hops
                else:
                    place = [*place, part]
            folder = self._folders.get("/".join(place))
        return place
