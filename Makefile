# Two commands: `make run` and `make test`. Everything happens in .venv; data goes to var/ (NSCWEB_DATA_DIR).
SHELL := /bin/sh
VENV ?= .venv
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: help run demo test test-full test-fast explore check audit format clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'

run: $(VENV)/.runtime ## start nscweb on http://localhost:8000 (PORT=...)
	@exec $(PY) -m nscweb.serve

demo: $(VENV)/.demo ## the same with a sample operator and a connected nats-server
	@exec $(PY) -m nscweb.serve --demo

test: $(VENV)/.dev ## every test on SQLite and PostgreSQL, with nats-servers and a browser; reduced counts
	@exec $(PY) -m tests.everything

test-full: $(VENV)/.dev ## the same with the counts named in the specification
	@NSCWEB_TEST_FULL=1 exec $(PY) -m tests.everything

test-fast: $(VENV)/.dev ## under a minute: no server, no browser, SQLite only
	@exec $(PY) -m pytest -q -n 2 -m "not server and not browser and not slow"

explore: $(VENV)/.dev ## generated cases that no run has had before: the permission tester beside nats-server, claims, formats
	@NSCWEB_TEST_FULL=1 NSCWEB_TEST_SEED=random exec $(PY) -m pytest -q -n 2 tests/interop/test_agreement.py \
		$$(grep -rl --include="test_*.py" "@given(" tests)

check: $(VENV)/.dev ## formatting, lint, types, layers, security (bandit), templates, deployment settings, migrations
	@exec $(PY) -m tests.checks

audit: $(VENV)/.dev ## known faults of what nscweb depends on (pip-audit); the package index has to answer it
	@$(PIP) pip-audit==2.10.1 && $(BIN)/pip-audit --strict -r requirements.txt

format: $(VENV)/.dev ## let ruff write the formatting
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove the virtual environment and caches, never the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(PY):
	@test -n "$(PYTHON)" || { echo "nscweb needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements.txt | $(PY)
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.demo: requirements-demo.txt requirements.txt | $(PY)
	@$(PIP) -r requirements-demo.txt
	@touch $@ $(VENV)/.runtime

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(PY)
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime $(VENV)/.demo
