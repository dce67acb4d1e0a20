"""Starts the smoke fine-tune, from this folder or from the one-file program that it is zipped into."""

import sys

from smoke_run.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
