# Thin names for the commands of this checkout. A fresh machine needs Python 3.11 or newer, git and make.
# Every target sets up what is missing first; a second run finds it done.

SHELL := /bin/sh
.DEFAULT_GOAL := setup
.PHONY: setup browser demo test check bench bench-peers audit lock clean help

BIN := .venv/bin
SOURCES := $(wildcard layers/core/python functions infra tests)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url

# jsii starts the Node it finds on PATH; ours is in .venv/bin.
export PATH := $(CURDIR)/$(BIN):$(PATH)

setup: ## Make .venv, .venv-engine and node_modules ready (PYTHON=... names the interpreter)
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    exec "$$python" infra/provision.py $(if $(PYTHON),--this-python); \
	  fi; \
	done; \
	echo 'set-up: no Python 3.11 or newer with its venv module was found: install one (Debian and Ubuntu:' \
	     'apt-get install python3-venv) or name it with make PYTHON=/path/to/python3.13' >&2; exit 1

browser: setup
	@$(BIN)/python -m infra.local.browser

demo: browser ## Deploy Grace and a demo shop on this machine, then tell three incidents live
	@$(BIN)/grace demo $(if $(INTERACTIVE),--interactive)

test: browser ## Every test: the inner rings side by side, then the engine ring in one worker
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=10

check: setup ## Format, lint, types and the rules of the house
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/python -m pytest -q tests/house

bench: setup ## Measure the budgets
	@$(BIN)/python -m tests.bench

bench-peers: setup ## Install the peers beside us and measure those that can be measured here
	@$(BIN)/python -m tests.bench.peers

audit: setup ## Forged links, tampered logs, entries while all breaks off: what make test tries a part of, in full
	@$(BIN)/python -m tests.audit

lock: setup ## Compile requirements/*.in and package.json again
	@for name in uv runtime cedar crypto web dev engine; do $(COMPILE) requirements/$$name.in -o requirements/$$name.txt || exit 1; done
	@$(BIN)/node $$(dirname $$(readlink $(BIN)/node))/../lib/node_modules/npm/bin/npm-cli.js install \
	  --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --loglevel=error

clean: ## Remove everything that was made here
	@rm -rf .venv .venv-engine node_modules var cdk.out build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'
