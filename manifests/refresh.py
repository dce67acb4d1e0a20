"""The robot of the catalogue: asks the makers for what it lacks and writes it down, comments and order kept.

    python manifests/refresh.py [--torch] [--models] [--ides] [--catalog FOLDER]

Without a word of what, all of it. It needs what setup-llm-dev itself needs, and reaches as far as this machine does:
what can't be reached stays as it is, which is said. Ends with 0 unless a file of the catalogue can't be understood.
Nothing is ever replaced by another hash: where a maker says something else than the catalogue, that is said and left
to a person.
"""

import argparse
import sys
from pathlib import Path

from refresh_ides import refresh_ides
from refresh_models import refresh_models
from refresh_run import Run
from refresh_torch import refresh_torch

from setup_llm_dev.documents.catalog import read_catalog
from setup_llm_dev.errors import SetupError
from setup_llm_dev.host.configuration import as_environment, read_surroundings
from setup_llm_dev.host.world import real_host, with_environment

HUB = "https://huggingface.co"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    host = real_host()
    surroundings = read_surroundings(host, Path(options.catalog))
    host = with_environment(host, as_environment(surroundings, host.environment))
    try:
        run = Run(host, options.catalog, read_catalog(options.catalog))
        refresh(run, options)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    report(run)
    return 0


def refresh(run: Run, options: argparse.Namespace) -> None:
    """What was asked for, each part by itself."""
    every = not (options.torch or options.models or options.ides)
    if options.torch or every:
        root = options.torch_index or run.catalog.torch.index_root
        refresh_torch(run, root, default=not options.no_default_index, index=options.default_index)
    if options.models or every:
        refresh_models(run, options.hub)
    if options.ides or every:
        refresh_ides(run, options.feed)


def report(run: Run) -> None:
    for line in run.silent:
        print(f"not reached: {line}")
    for line in run.changes:
        print(line)
    if not run.changes:
        print("nothing reachable: unchanged" if not run.reached else "nothing new: unchanged")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python manifests/refresh.py", description=__doc__.splitlines()[0])
    for part in ("torch", "models", "ides"):
        parser.add_argument(f"--{part}", action="store_true")
    parser.add_argument("--catalog", type=Path, default=Path(__file__).resolve().parent / "catalog")
    parser.add_argument("--torch-index", metavar="URL", help="instead of the official one")
    parser.add_argument("--default-index", metavar="URL", help="a package index instead of uv's default")
    parser.add_argument("--no-default-index", action="store_true", help="leave out the package index")
    parser.add_argument("--hub", metavar="URL", default=HUB)
    parser.add_argument("--feed", metavar="URL")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
