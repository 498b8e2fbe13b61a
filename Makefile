SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
OUT ?= demo-out
ROWS ?= 20000000
FUZZ_SECONDS ?= 120

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint slow bench fuzz sample golden clean

help: ## show these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with exact versions and the command .venv/bin/batchpub

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "batchpub needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup ## one night on the sample data against the local sandbox
	@$(BIN)/python sample_data/demo.py $(OUT)

test: setup ## the tests, about a minute
	@$(BIN)/python -m pytest -n 2 -m 'not slow'

lint: setup ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test ## what CI runs: lint and the tests

slow: setup ## the long fault loops: kills, sequences of faulty nights
	@$(BIN)/python -m pytest -n 2 -m slow

bench: setup ## the comparisons with other tools, on generated data
	@$(BIN)/python -m benchmarks

fuzz: setup ## atheris on every reader of foreign bytes: make fuzz FUZZ_SECONDS=600 (each)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	@for target in xml json multipart; do \
		$(BIN)/python tests/fuzz/run_fuzzer.py $$target $(FUZZ_SECONDS) || exit 1; done

sample: setup ## big inputs in bench-data: make sample ROWS=20000000
	@$(BIN)/python -m benchmarks.workloads sample --rows $(ROWS) --out bench-data

golden: setup ## rewrite the golden files; read the diff
	@BATCHPUB_GOLDEN=1 $(BIN)/python -m pytest -q tests/unit/test_wire_request_bytes.py

clean: ## remove .venv, caches and generated files
	@rm -rf .venv demo-out bench-data fuzz-data build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
