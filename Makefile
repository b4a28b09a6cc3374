# Everything sets itself up: `make demo` and `make test` work on a fresh machine.
PYTHON ?= python3
VENV ?= .venv
# Extra words for `python -m venv`, e.g. VENV_FLAGS=--system-site-packages to use a site's own torch.
VENV_FLAGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_DATA ?=
# Threads that spin while they wait starve each other on shared cores.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint bench clean
.DEFAULT_GOAL := test

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import shutil, torch; shutil.which("nvidia-smi") and not torch.cuda.is_available() and print("note: a GPU is here but this torch cannot use it; install a CUDA build of torch into $(VENV)")'
	touch $(READY)

demo: $(READY)
	$(BIN)/frostpick demo -o demo

lint: $(READY)
	$(BIN)/ruff check plugin external_job tests examples
	$(BIN)/ruff format --check plugin external_job tests examples
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest

# The accuracy table needs the development data: make bench BENCH_DATA=/path/to/bench
bench: $(READY)
	$(BIN)/python tests/benchmarks/bench_speed.py
	$(BIN)/python tests/benchmarks/bench_cryosparc.py
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_accuracy.py --bench $(BENCH_DATA),@echo "accuracy: give BENCH_DATA=<folder of the development data>")

clean:
	rm -rf $(VENV) demo dist build
