# weaver: one verb, one line. `make help` lists them.

VENV ?= .venv
PYTHON ?=
export PYTHON

bin := $(VENV)/bin
runtime := $(VENV)/.installed
development := $(VENV)/.installed-dev
native := $(wildcard weaver/native/*.[ch])
sources := weaver tests benchmarks scripts hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help crawl demo test check bench bench-report soak conformance clean

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
	@echo
	@echo "e.g.  make crawl URL=https://example.org/ ARGS='--max-pages 500 -o first-crawl'"

crawl: $(runtime) ## crawl URL=... with ARGS='...'; without a URL, the demo web
	@$(bin)/weaver $(if $(strip $(URL)),crawl '$(URL)',demo) $(ARGS)

demo: $(runtime) ## crawl a small web of weaver's own on loopback
	@$(bin)/weaver demo $(ARGS)

test: $(development) ## run the tests; ARGS='-m "not slow"' for the quick ones
	@$(bin)/python -m pytest $(ARGS)

check: $(development) ## lint, format, types, import contracts, docstrings of tests, spelling
	@$(bin)/ruff check --quiet $(sources)
	@$(bin)/ruff format --check --quiet $(sources) || { echo "not formatted: run $(bin)/ruff format $(sources)"; exit 1; }
	@$(bin)/mypy weaver tests/typing/api.py
	@$(bin)/lint-imports --no-logo || exit 1
	@$(bin)/interrogate --quiet --config pyproject.toml tests || $(bin)/interrogate -v --config pyproject.toml tests
	@$(bin)/codespell weaver tests benchmarks scripts docs configs changes README.md
	@echo "check: all well"

bench: $(development) ## CPU per page beside a bare loop (and Scrapy where installed); bytes per entry; accounting's share; beside dicts of sets and graph libraries
	@$(bin)/python -m benchmarks.crawl $(ARGS)
	@$(bin)/python -m benchmarks.memory
	@$(bin)/python -m benchmarks.accounting
	@$(bin)/python -m benchmarks.reference_store
	@$(bin)/python -m benchmarks.graph --nodes 100000 --edges 2000000 --json

bench-report: $(development) ## the last stored results of bench beside the ones before, and pictures of them
	@$(bin)/python -m benchmarks.report

soak: $(development) ## memory, stalls and speed over a long crawl; ARGS='--pages 1000000 --memory 256MiB'
	@$(bin)/python -m benchmarks.soak $(ARGS)

conformance: $(development) ## run the conformance sets; CASES=DIR names another folder of them
	@$(bin)/python -m tests.conformance.run $(CASES)

clean: ## remove the virtualenv and what the tools left; crawl directories stay
	@rm -rf $(VENV) weaver/native/*.so build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov .coverage
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(runtime): pyproject.toml requirements.lock $(native)
	@bash scripts/venv.sh '$(VENV)' requirements.lock ''
	@touch $@

$(development): pyproject.toml requirements-dev.lock $(native)
	@bash scripts/venv.sh '$(VENV)' requirements-dev.lock '[dev]'
	@touch $(runtime) $@
