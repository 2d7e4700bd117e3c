# make demo   installs what is needed and runs the main job on generated data, on this machine
# make test   the fast tests; make test-slow: the others; make test-slurm: on a SLURM, see slurm/local-cluster
# make test-gpu    the tests of the GPU path, on a machine that has one (about four minutes)
# make test-long   every kind of damage in full, for the table in docs/reliability.md (a quarter of an hour)
# make wheel  the package as a file in dist/, with the commit it was built from; slurm/container/ puts it into an image
# make check  style, types and which part may import which; make lock: the requirements, pinned again

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: install demo test test-slow test-slurm test-gpu test-long check lock wheel clean

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: install
	$(BIN)/repro reproduce table6 figure6 --scale smoke --skip resnet-1202

test: install
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not slurm"

test-slow: install
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest -n $(WORKERS) -m "slow and not slurm"

test-slurm: install
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m pytest -m slurm

test-gpu: install
	REPRO_TEST_GPU=1 $(BIN)/python -m pytest -m gpu tests/gpu

test-long: install
	CUDA_VISIBLE_DEVICES= $(BIN)/python -m tests.reliability.long

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/repro check-record results/labs
	$(BIN)/python -m pytest -q tests/test_style.py

lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --upgrade --group dev \
		--no-header --no-annotate --quiet pyproject.toml --output-file requirements.lock

wheel: install
	rm -f dist/repro-*.whl
	$(BIN)/python -m hatchling build -t wheel -d dist

clean:
	rm -rf .venv results/smoke results/runs figures/smoke
