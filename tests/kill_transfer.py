"""Run by the kill tests in a process of its own: downloads one file, and says what it kept and fetched."""

import sys
from pathlib import Path

from setup_llm_dev.documents.transfer import Limits, Source, Wanted
from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.fetch import Fetcher
from setup_llm_dev.host.files import Files


def main(url: str, size: str, sha256: str, target: str, partials: str, connections: str, follow: str) -> None:
    """Ends with 0 once the file is there."""

    def consume(stream: object) -> None:
        with Path(target).with_suffix(".seen").open("wb") as seen:
            while part := stream.read(300_000):  # type: ignore[attr-defined]
                seen.write(part)

    wanted = Wanted("file", (Source(url),), int(size) or None, sha256)
    fetcher = Fetcher({}, Cancel(), Files(), Limits(connections=int(connections)))
    facts = fetcher.download(
        wanted, Path(target), partials=Path(partials), follow=consume if follow == "follow" else None
    )
    print(facts.kept, facts.fetched)


if __name__ == "__main__":
    main(*sys.argv[1:])
