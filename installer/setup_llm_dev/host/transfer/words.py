"""What can become of a transfer, in words. URLs are shown without credentials by whoever passes them."""

from pathlib import PurePath

from setup_llm_dev.errors import Corrupt, SystemRefused, Unreachable
from setup_llm_dev.messages import message


def cut_off(url: str) -> Unreachable:
    """A body ended before its end."""
    return Unreachable(message("the answer of {url} was cut off", url=url), url=url)


def counted(error: Unreachable, times: int) -> Unreachable:
    """The same error, with how often it was tried where that was more than once."""
    if times < 2:
        return error
    text = message("{what}; tried {times} times", what=error.message, times=times)
    return Unreachable(text, url=error.url, status=error.status, hint=error.hint)


def endless(url: str) -> Corrupt:
    """A body of unknown length went on and on."""
    return Corrupt(message("{url} sends more than any file that we expect", url=url))


def too_short(url: str, got: int, expected: int) -> Corrupt:
    """A source has another file than the one that is wanted."""
    return Corrupt(message("{url} has {got} bytes where {expected} are expected", url=url, got=got, expected=expected))


def wrong_bytes(name: str, got: str, expected: str) -> Corrupt:
    """A file that came whole and has another hash."""
    return Corrupt(
        message(
            "{name} is not what it should be: its hash is {got}, expected {expected}",
            name=name,
            got=got,
            expected=expected,
        ),
        hint=message("nothing of it was kept; a mirror may be out of date or tampered with, try another one"),
    )


def silent(url: str, seconds: float) -> Unreachable:
    """Nothing came for as long as we wait."""
    return Unreachable(message("{url} sent nothing for {seconds} seconds", url=url, seconds=round(seconds)), url=url)


def slow(url: str, rate: int) -> Unreachable:
    """Less came than the floor, `rate` in bytes a second."""
    return Unreachable(
        message("{url} sends less than {rate} kB a second", url=url, rate=-(-rate // 1000)),
        url=url,
        hint=message("run the same command again when the network is better; it goes on from there"),
    )


def late(name: str, seconds: float) -> Unreachable:
    """The deadline of the whole call is over."""
    return Unreachable(
        message("{name} could not be fetched within {seconds} seconds", name=name, seconds=round(seconds)),
        hint=message("run the same command again; it goes on from there"),
    )


def with_kept(error: Unreachable, name: str, kept: int) -> Unreachable:
    """The same error, with how many bytes stay for the next run."""
    text = message("{what}; {megabytes} MB of {name} are kept", what=error.message, megabytes=kept // 10**6, name=name)
    return Unreachable(text, url=error.url, status=error.status, hint=error.hint)


def taken_over(name: str) -> SystemRefused:
    """Our partial file is gone: we slept so long that a process on another machine took it for nobody's."""
    return SystemRefused(
        message("somebody else took over what was fetched of {name}", name=name),
        hint=message("run the same command again; if another machine shares this folder, wait until it is through"),
    )


def no_room(need: int, have: int, folder: PurePath) -> SystemRefused:
    """Too little room, told before the first byte."""
    return SystemRefused(
        message(
            "{folder} has room for {have} MB, {need} MB are needed",
            folder=str(folder),
            have=have // 10**6,
            need=-(-need // 10**6),
        ),
        hint=message("free some space, then run the same command again"),
    )
