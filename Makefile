# Everything a newcomer types. Each target installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MEMBERS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml runtime/pyproject.toml cli/pyproject.toml)
SEEDS ?= 200

.PHONY: demo test check bench gen clean install simulate chaos lock

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml $(MEMBERS) tools/bootstrap.py
	$(PYTHON) tools/bootstrap.py $(VENV)
	@touch $(STAMP)

demo: install
	$(BIN)/python tools/demo.py

test: install
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not chaos" libs services runtime cli tests
	$(BIN)/python -m pytest -m chaos tests/chaos

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/gen.py --check
	$(BIN)/python tools/check_docs.py
	$(BIN)/python tools/check_tree.py

bench: install
	$(BIN)/python -m tests.bench

gen: install
	$(BIN)/python tools/gen.py

simulate: install
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: install
	$(BIN)/python -m pytest -m chaos tests/chaos

lock: install
	$(BIN)/python tools/lock.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .osmo
