# Two commands do everything: `make demo` runs three fictional centres, `make test` proves it.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-slow lint format bench schema clean

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

install: $(INSTALLED)  ## everything into .venv (and Debian packages, as root)

$(INSTALLED): pyproject.toml constraints.txt ops/debian-packages.txt
	@ops/install-debian-packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Consore needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/usr/bin/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch==2.13.0
	$(PIP) install --quiet --constraint constraints.txt --editable '.[language,postgres,mobile,dev]'
	$(PIP) install --quiet --no-deps kivymd==2.0.0 materialshapes==0.3
	@touch $@

demo: install    ## three fictional centres from nothing to a running network, and the app
	@$(BIN)/consore demo $(ARGS)

test: install    ## the test suite, but for what takes long
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m 'not slow' $(ARGS)

test-slow: install  ## the tests that take long: whole nights, kills, months, three centres; CI runs them too
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m slow $(ARGS)

lint: install    ## style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: install  ## lay out the code
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

bench: install   ## the measured tables
	@$(BIN)/consore bench all

schema: install  ## write backend/schema.graphql
	@$(BIN)/consore schema > backend/schema.graphql

clean:           ## remove what was built, keep what you wrote
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
