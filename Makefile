# Everything from a bare Python 3.11 on a fresh machine: `make demo` shows it, `make test` proves it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

# A container may forbid it, and then every process of a test, and every worker, compiles the program again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint tools crash bench cluster clean

demo: $(READY)
	$(BIN)/nurture demo

test:
	$(MAKE) --jobs=2 lint tools
	$(BIN)/pytest -n 4 --dist worksteal

tools:
	.ci/system
	.ci/npm

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

crash: $(READY)
	.ci/system
	$(BIN)/python benchmarks/crash.py $(CRASH)

bench: $(READY)
	.ci/system
	$(BIN)/python benchmarks/bench.py $(BENCH)

cluster: $(READY)
	.ci/system
	$(BIN)/python benchmarks/machines_apart.py $(CLUSTER)

clean:
	rm -rf .venv .node .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nurture needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
