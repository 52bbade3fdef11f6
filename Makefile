# Everything a person or CI does here. Each target sets up what it needs; `make help` prints this list.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

help: ## print this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## make the virtual environment and install everything into it

$(STAMP): pyproject.toml tools/setup.sh
	@tools/setup.sh $(VENV)
	@touch $@

demo: $(STAMP) ## the main job, with its output, in a minute
	@$(VENV)/bin/tiphys demo

test: $(STAMP) ## the quick suite
	$(PY) -m pytest -n 2 -m "not conformance and not exhaustive" $(ARGS)

conformance: $(STAMP) ## what needs the real argo, a real Nautobot and other slow peers
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m conformance --timeout 600 $(ARGS)

exhaustive: $(STAMP) ## kills at every boundary on every kind of BMC, and the like
	$(PY) -m pytest -n 2 -m exhaustive --timeout 1200 $(ARGS)

vault: ## build a real HashiCorp Vault for the conformance tests (Go; long)
	cd tests/conformance/vault && go build -trimpath -o ../../../.cache/vault/vault .

check: $(STAMP) ## format, lint, types, layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP) ## the figures, as JSON and a table
	$(PY) -m benchmarks

ci: check test conformance ## what CI runs

clean: ## remove what the targets above made
	rm -rf .venv .cache build dist

.PHONY: help setup demo test conformance exhaustive vault check bench ci clean
