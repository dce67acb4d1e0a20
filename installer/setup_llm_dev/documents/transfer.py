"""What a transfer is asked for: bytes known by size and hash, and who may carry them."""

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

    @property
    def digest(self) -> str:
        """What names its partial file: the hash that it must have."""
        return self.sha256 or self.git_sha1 or ""
