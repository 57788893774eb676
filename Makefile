# Everything a person does here is one of these.  `make help` lists them.

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do if $$name -c '' 2>/dev/null; then echo $$name; break; fi; done)
ENVIRONMENT = $(or $(PYTHON),python3) scripts/make_environment.py
BIN = .venv/bin
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo check test clients bench requirements reference clean

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

setup: ## Make .venv with all that is needed to run, develop and test
	@$(ENVIRONMENT) .venv --requirements requirements/development.txt --editable .

demo: ## See real models go through registration, review and approval to an endpoint, and back
	@$(ENVIRONMENT) .venv --requirements requirements/demo.txt --editable .
	@$(BIN)/modelyard demo

check: setup ## The fast half: style, types, architecture, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n $(WORKERS) tests/unit

clients: setup ## Make the environments of the clients that clash with ours
	@$(BIN)/python -m tests.clients.environments

test: setup clients ## Everything that CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

bench: setup ## Measure: one file per claim, results in benchmarks/results
	$(BIN)/python -m benchmarks

requirements: setup ## Compile the requirement files anew, to the newest versions
	$(BIN)/python scripts/compile_requirements.py

reference: setup ## Write docs/reference anew from the code
	$(BIN)/python -m modelyard.cli.reference

clean: ## Remove what the targets above made
	rm -rf .venv .build .demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
