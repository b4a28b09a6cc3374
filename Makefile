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

.PHONY: demo docs-pictures check test test-peers lint bench bench-full bench-speed clean
.DEFAULT_GOAL := test

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV_FLAGS) $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import shutil, torch; shutil.which("nvidia-smi") and not torch.cuda.is_available() and print("note: a GPU is here but this torch cannot use it; install a CUDA build of torch into $(VENV)")'
	touch $(READY)

demo: $(READY)
	$(BIN)/frostpick demo -o demo

# The two pictures of the README: one from the demo's report, one from the README's table.
docs-pictures: demo
	$(BIN)/python docs/images/draw.py demo/report.html

lint: $(READY)
	$(BIN)/ruff check plugin external_job tests examples
	$(BIN)/ruff format --check plugin external_job tests examples
	$(BIN)/mypy
	$(BIN)/lint-imports

# Before each commit, in under two minutes on two cores: what is marked quick is a test of every layer.
check: lint
	$(BIN)/python -m pytest -m 'quick and not slow' --durations=0 --durations-min=5 $$(grep -rl 'mark\.quick' tests --include='test_*.py')

test: lint
	$(BIN)/python -m pytest

# The tests that run other programs in environments of their own, which are made once, in .venv-peers.
test-peers: $(READY)
	$(BIN)/python -m pytest -m peer_env

# The accuracy table. Of two small simulated sets, or with the development data of all of them, and
# then few-shot picking, pruning and iterating too:
# make bench BENCH_DATA=/path/to/bench (hours; what is done is kept in .bench and not run again).
# START: the model that trainings start from and that picks without labels; none for from nothing.
START ?= general
ACCURACY = $(BIN)/python tests/benchmarks/bench_accuracy.py --start-model $(START) $(if $(BENCH_DATA),--bench $(BENCH_DATA))
bench: $(READY)
	$(ACCURACY)
	$(ACCURACY) --part robustness
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_fewshot.py --bench $(BENCH_DATA))
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_pruning.py --bench $(BENCH_DATA) --topaz)
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_iterate.py --bench $(BENCH_DATA) --start-model $(START))
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_iterate.py --bench $(BENCH_DATA) --start-model none --rounds 2)

# cryoMAE at the size of its paper, pretrained first; for a GPU.
MAE = .bench/mae-base
bench-full: $(READY)
	$(BIN)/frostpick pretrain --method mae --encoder-size base -o $(MAE)
	$(BIN)/python tests/benchmarks/bench_fewshot.py --encoder-size base --encoder $(MAE)/model --device auto $(if $(BENCH_DATA),--bench $(BENCH_DATA))

# Time and memory; with the development data also the training time to Topaz's accuracy.
bench-speed: $(READY)
	$(BIN)/python tests/benchmarks/bench_speed.py
	$(if $(BENCH_DATA),$(BIN)/python tests/benchmarks/bench_speed.py --part train --bench $(BENCH_DATA))
	$(BIN)/python tests/benchmarks/bench_speed.py --part memory
	$(BIN)/python tests/benchmarks/bench_cryosparc.py

clean:
	rm -rf $(VENV) demo dist build
