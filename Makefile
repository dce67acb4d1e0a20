# The commands of a developer, one line each; a user needs the first two words of `make help` only.
SHELL := /bin/sh
# The first Python here that is 3.11 or newer; name another one with `make PYTHON=/path/to/python setup`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
ARGS ?=
# Tests at the same time: one a core, up to four; 0 for none beside pytest itself.
WORKERS ?= auto

.PHONY: help setup dev check test bench nightly catalog messages clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(BIN)/setup-llm-dev ## install the tool into .venv, then set up this machine with the default recipe
	$(BIN)/setup-llm-dev apply $(ARGS)

dev: .venv/.dev ## install what checks and tests need into .venv

check: dev ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.catalogue

test: dev ## every test but the slow tiers
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

nightly: dev ## the slow tiers: kill sweeps and many seeds
	$(BIN)/python -m pytest -m nightly $(ARGS)

bench: dev ## our figures beside what one would do by hand
	$(BIN)/python -m tests.bench $(ARGS)

catalog: dev ## ask the makers for what the catalogue lacks
	$(BIN)/python manifests/refresh.py $(ARGS)

messages: dev ## bring the Chinese catalogue up to date with the sentences in the code
	$(BIN)/python -m tests.catalogue --update

clean: ## remove .venv and what the checks left
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-results.json

# An editable install: `make dev` and `git pull` need not install again when only our code changed.
$(BIN)/setup-llm-dev: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found; name one with make PYTHON=/path setup" >&2; exit 6; }
	@$(PYTHON) -m venv .venv || { echo "error: $(PYTHON) can't make environments; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf .venv; exit 6; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.dev: $(BIN)/setup-llm-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	@touch $@
