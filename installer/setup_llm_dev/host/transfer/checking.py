"""The hash of the whole, taken while bytes still come: whoever is right is published, whoever lied is accused."""

from typing import TYPE_CHECKING

from setup_llm_dev.host.disk_errors import system_error
from setup_llm_dev.host.files import Files
from setup_llm_dev.host.hashing import Hasher
from setup_llm_dev.host.transfer.adoption import hash_of
from setup_llm_dev.host.transfer.partials import drop_orphans
from setup_llm_dev.host.transfer.pieces import PIECE
from setup_llm_dev.host.transfer.words import taken_over, wrong_bytes

if TYPE_CHECKING:
    from setup_llm_dev.host.transfer.job import Job

_SMALL = 8 * PIECE  # up to here whoever brings the last piece hashes the file
_STRIDE = 8 * PIECE  # hashed between two looks at whether anybody still wants to know


class Check:
    """Of one job, whose lock guards this too."""

    def __init__(self, job: "Job", files: Files) -> None:
        self._job = job
        self._files = files
        self._is_at_work = False

    def is_due_while_bytes_come(self) -> bool:
        """Whether a thread should begin to hash the file now; True once."""
        if self._is_at_work or self._job.pieces.frontier < _SMALL:
            return False
        self._is_at_work = True
        return True

    def is_due_at_the_end(self) -> bool:
        """Whether a small file is complete, and nobody checks it yet; True once."""
        job = self._job
        if self._is_at_work or job.verified or job.ended or not job.pieces.is_complete:
            return False
        self._is_at_work = True
        return True

    def run(self, *, lasting: bool = True) -> None:
        """Hash while bytes come; once they are right, publish them, else accuse who brought them.

        `lasting`: wait for those that come instead, too; only a thread of its own can.
        """
        job = self._job
        try:
            while not self._checked() and lasting:
                pass
            self._is_at_work = lasting
        except FileNotFoundError:
            job.fail(taken_over(job.wanted.name))
        except OSError as error:
            job.fail(system_error(error, job.folder))

    def _checked(self) -> bool:
        """Whether nothing is left to check; if not, other bytes come."""
        job = self._job
        assert job.partial is not None  # noqa: S101 - made before anything is asked
        with job.partial.reader() as stream:
            hasher: Hasher | None = None
            with job.grown:
                generation = job.generation
            while True:
                with job.grown:
                    while not self._has_news(hasher.position if hasher else 0, generation):
                        job.grown.wait()
                    if job.ended:
                        return True
                    if job.generation != generation:
                        return False
                    frontier, complete, size = job.pieces.frontier, job.pieces.is_complete, job.pieces.size
                hasher = hasher or Hasher(stream, size if self._is_git else None)
                hasher.advance(min(frontier, hasher.position + _STRIDE))
                if complete and hasher.position == size:
                    stream.close()  # on Windows a file that is open has no other name
                    return self._judged(hasher.hexdigest(), generation)

    def _has_news(self, position: int, generation: int) -> bool:
        job = self._job
        if job.ended or job.generation != generation or job.pieces.is_complete:
            return True
        return job.pieces.frontier > position and not (self._is_git and job.pieces.size is None)

    @property
    def _is_git(self) -> bool:
        return self._job.wanted.sha256 is None

    def _judged(self, digest: str, generation: int) -> bool:
        job = self._job
        with job.grown:
            if job.generation != generation or job.ended:
                return job.ended
            if digest == job.wanted.digest:
                job.verified = True
                job.grown.notify_all()
            else:
                self._accuse(digest)
                return job.ended
        self._publish()
        return True

    def _accuse(self, digest: str) -> None:
        """Those who brought the bytes, and whoever made up the size; where that is nobody, no try will help."""
        job = self._job
        error = wrong_bytes(job.wanted.name, digest, job.wanted.digest)
        numbers = job.pieces.sources | ({job.sized_by} if job.sized_by is not None else set())
        if not numbers:
            job.fail(error)
            return
        job.routes.accuse(numbers, error)
        job.forget()
        if lost := job.routes.lost:
            job.fail(lost)
        job.on_end()

    def _publish(self) -> None:
        job = self._job
        assert job.partial is not None and job.pieces.size is not None  # noqa: S101 - known by now
        job.partial.flush()
        if not job.await_follower():
            return
        try:
            job.partial.publish(job.target, job.pieces.size)
        except FileNotFoundError:
            if not self._is_there(job.pieces.size):
                raise
        self._files.flush_dir(job.target.parent)
        drop_orphans(job.folder, job.wanted.digest)
        job.done()

    def _is_there(self, size: int) -> bool:
        """Whether another process published the same bytes after it took our partial file."""
        job = self._job
        return job.target.is_file() and hash_of(job.target, size, job.wanted) == job.wanted.digest
