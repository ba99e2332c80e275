# Everything a newcomer types. Each target installs what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MEMBERS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml runtime/pyproject.toml cli/pyproject.toml)
SEEDS ?= 200

.PHONY: demo test test-cluster check bench gen clean install simulate chaos lock cluster-program runtime-image

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml $(MEMBERS) tools/bootstrap.py
	$(PYTHON) tools/bootstrap.py $(VENV)
	@touch $(STAMP)

demo: install
	$(BIN)/python tools/demo.py

test: install cluster-program
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not chaos and not containers" libs services runtime cli tests
	$(BIN)/python -m pytest -m chaos tests/chaos

# A real Kubernetes control plane, from its Go modules: minutes the first time, then from a cache. Without Go, its tests are skipped and say so.
cluster-program: install
	-$(BIN)/python -m tests.cluster.build

# The image of osmo-init and osmo-ctrl as an archive for `ctr images import` or `docker load`, without any container engine.
runtime-image: install
	$(BIN)/python -m images.oci osmo-runtime.tar

# Real containers on a real kubelet (wants root, containerd and runc: Debian packages), and two clusters one of which is cut off.
test-cluster: install cluster-program
	tests/cluster/packages.sh
	$(BIN)/python -m pytest -m "containers or chaos" tests/cluster

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.gen --check
	$(BIN)/python tools/check_docs.py
	$(BIN)/python tools/check_tree.py

bench: install
	$(BIN)/python -m tests.bench

gen: install
	$(BIN)/python -m tools.gen

simulate: install
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: install
	$(BIN)/python -m pytest -m chaos tests/chaos

lock: install
	$(BIN)/python tools/lock.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .osmo
