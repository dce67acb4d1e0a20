"""What a transfer is asked for: bytes known by size and hash, who may carry them, and how long we wait."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """One address that may carry the bytes. `token` goes to the origin of `url` only, in a header, over https.

    (Over plain http only to this very machine, where tests and tunnels are.)
    """

    url: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: `name` is for people; sources in the order in which they are tried.

    size: bytes, None where nobody told. sha256: hex digits; git_sha1: git's blob hash, which the hub gives for small
    files. One of the two hashes is always there: nothing is fetched that can't be verified.
    """

    name: str
    sources: tuple[Source, ...]
    size: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None

    def __post_init__(self) -> None:
        if not (self.sha256 or self.git_sha1):
            raise ValueError(f"{self.name}: nothing is fetched without a hash")
        # They name files: whoever takes one from outside has looked at it before.
        hashes = ((self.sha256, 64), (self.git_sha1, 40))
        if any(told is not None and not re.fullmatch(f"[0-9a-f]{{{digits}}}", told) for told, digits in hashes):
            raise ValueError(f"{self.name}: {self.digest!r} is no hash")

    @property
    def digest(self) -> str:
        """What names its partial file: the hash that it must have."""
        return self.sha256 or self.git_sha1 or ""


@dataclass(frozen=True)
class Limits:
    """How much is asked for at once, how often, and when a host is given up; times in seconds, sizes in bytes."""

    connections: int = 8  # of one call, all files together
    request_bytes: int = 8 << 20  # asked for at once by all connections together, where the server is near
    far_request_bytes: int = 32 << 20  # asked for at once by one connection, where an answer takes long to begin
    connect_seconds: float = 10.0
    idle_seconds: float = 30.0  # of silence, before and within an answer
    floor_rate: int = 10 << 10  # bytes a second that all connections of a file must bring together
    floor_seconds: float = 60.0
    tries: int = 5  # of one source, without any progress in between
    backoff_seconds: float = 0.5  # doubled with each try
    retry_after_seconds: float = 120.0  # the longest pause that we let a server ask for
    redirects: int = 10
    unknown_size: int = 16 << 30  # the most that we take from a source when nobody told the size


@dataclass(frozen=True)
class DownloadFacts:
    """What became of one file: its size, the bytes that were fetched now, and those kept from earlier runs.

    source: the address that brought the last bytes, without credentials; empty where nothing had to be fetched.
    """

    size: int
    fetched: int
    kept: int
    source: str
    seconds: float
