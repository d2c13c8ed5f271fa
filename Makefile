VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: install demo test test-slow bench-balance bench-faults bench-plan bench-cloud soak lint clean help

install: $(VENV)/installed  ## Install Steelyard and all it needs into a virtual environment.

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] in ((3, 11), (3, 12)) else "Steelyard needs Python 3.11 or 3.12, not " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install  ## Bring a cluster up on this machine, train on it, and take it down.
	$(BIN)/steelyard demo

test: install lint  ## Check style, types and imports, then run every test but the longer proofs.
	$(BIN)/pytest -m 'not slow' --numprocesses 2 --dist loadfile

test-slow: install  ## Run the longer proofs.
	$(BIN)/pytest -m slow

bench-faults: install  ## Kill and hang workers of a training, and tell what it costs.
	$(BIN)/python benchmarks/faults.py

bench-balance: install  ## Compare ways to train on nodes of unequal speed.
	$(BIN)/python benchmarks/balance.py

bench-plan: install  ## Plan clusters of 10, 100 and 1,000 nodes, and bring them up in the engine alone.
	$(BIN)/python benchmarks/plan.py

bench-cloud: install  ## Measure the local cloud beside moto, and 1,000 instances.
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/cloud.py

soak: install  ## Load the local cloud for an hour, and tell whether its memory and disk stay flat.
	$(BIN)/python benchmarks/soak.py

lint: install  ## Check style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis

help:  ## Tell what each target does.
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16
