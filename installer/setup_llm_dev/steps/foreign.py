"""What stands where files of ours go and is not what we would put there: refused before anything is fetched."""

import stat
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from setup_llm_dev.errors import Refused
from setup_llm_dev.host.user_files import Untouchable, look
from setup_llm_dev.host.world import Host
from setup_llm_dev.messages import Message, message


def refuse_foreign(host: Host, folder: PurePath, paths: Iterable[str], *, ours: bool) -> None:
    """Raises Refused (3) where the files `paths` (with slashes) can't be put into `folder` and taken back. Only reads.

    folder: may be a link to one, and may be missing. ours: whether we replace what stands at these names. Then only
    plain files do that can be read, so that `undo` can put them back, and no link below `folder` is followed: a project
    may come from anybody, and its links may lead to files of the user's that are none of its business. Files that are
    made only where none is overwrite nothing, so links to folders are fine for them.
    """
    _refuse_no_folder(host, folder)
    for path in paths:
        for around in reversed(PurePosixPath(path).parents[:-1]):
            _refuse_odd_folder(host, folder / around, ours=ours)
        if ours:
            _refuse_odd_file(host, folder / path)


def refused(path: PurePath, why: Message) -> Refused:
    return Refused(
        message("{path} stands in the way: {why}", path=str(path), why=why),
        hint=message("move it away, then run the same command again"),
    )


def _refuse_no_folder(host: Host, folder: PurePath) -> None:
    for place in (folder, *folder.parents):
        if host.files.exists(place):
            if not host.files.is_dir(place):
                raise refused(place, message("it is not a folder"))
            return


def _refuse_odd_folder(host: Host, folder: PurePath, *, ours: bool) -> None:
    target = host.files.link_target(folder)
    if target is not None and ours:
        raise refused(folder, message("it is a link to {target}", target=target))
    if host.files.exists(folder) and not host.files.is_dir(folder):
        raise refused(folder, message("it is not a folder"))


def _refuse_odd_file(host: Host, path: PurePath) -> None:
    target = host.files.link_target(path)
    if target is not None:
        raise refused(path, message("it is a link to {target}", target=target))
    if host.files.exists(path) and not stat.S_ISREG(Path(path).lstat().st_mode):
        raise refused(path, message("it is not a regular file"))
    try:
        look(host, path, limit=0)
    except Untouchable as error:
        raise refused(path, error.why) from error
