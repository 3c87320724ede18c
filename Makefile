# Every target sets up what it needs: Python 3.11 or newer and make are enough.
#   make PYTHON=python3.12 test     with another interpreter
#   make VENV=/tmp/venv test        with the environment somewhere else
#   make test ARGS="-k embedded"    with options for pytest, or for the benchmarks

PYTHON ?= python3
VENV ?= .venv
# Many tests wait for other processes, so a few more than the processors are kept busy.
JOBS ?= 4

BIN := $(VENV)/bin
PACKAGES := schema producers projections workers gateway
SOURCES := $(shell find $(PACKAGES) -type f -not -name '*.pyc')
# The type checker finds the mapped folders in a plain install only, so the sources are installed, not linked.
INSTALLED := $(VENV)/.installed
DEPENDENCIES := $(VENV)/.dependencies
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test chaos lint bench clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    a conversation over several weeks: published, recalled, deleted, replayed, compared"
	@echo "make test    all tests, against a real Redis"
	@echo "make chaos   faults of every kind for some minutes: ARGS=\"--seed 7 --kills 200 --examples 100000\""
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure, print and write benchmarks/results"
	@echo "make clean   remove what the other targets made"

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

# The last of two options counts, so that ARGS may ask for more or less.
chaos: $(INSTALLED)
	$(BIN)/python -m pytest tests/chaos --kills 200 --examples 100000 $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(foreach package,$(PACKAGES),-p mnemolog.$(package))

bench: $(INSTALLED)
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(PACKAGES) tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +

# build/ is removed because setuptools would install modules from it that are deleted in the sources.
$(INSTALLED): $(DEPENDENCIES) $(SOURCES) README.md LICENSE
	rm -rf build
	$(PIP) install --no-deps --no-build-isolation --force-reinstall .
	rm -rf build
	@touch $@

$(DEPENDENCIES): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "mnemolog needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv module (apt install python3-venv)." >&2; exit 1; }
	@echo "setting up $(VENV) (once; it takes a minute or two)"
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install 'setuptools>=77' '.[dev]'
	rm -rf build
	@touch $@
