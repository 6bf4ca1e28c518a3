# What a developer types. Each target sets up what it needs; `make test` and `make demo` are enough to begin with.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test bench fuzz soak endurance lint lint-ansible format docs screens dist wheelhouse deb clean

install: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch .venv/.runs $@

# What sipbridge runs with, and nothing to work on it with: a first look need not wait for that.
.venv/.runs: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

demo: .venv/.runs
	$(BIN)/sipbridge demo

# sipp and Kamailio are what the tests on a real FreeSWITCH talk to; without root, or elsewhere than on Debian, those
# tests are skipped and say so.
test: install
	tests/install-debian-packages
	$(BIN)/pytest

bench: install
	$(BIN)/python -m benchmarks

# FUZZ_S seconds for every door of the bridge; what breaks one is kept in tests/fuzz/corpus. Then, how time grows with length.
FUZZ_S ?= 60
fuzz: install
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	cd tests && PYTHONPATH=services ../$(BIN)/python -m fuzz --seconds $(FUZZ_S)
	cd tests && PYTHONPATH=services ../$(BIN)/python -m fuzz.scaling

# SOAK_S seconds of calls through a real FreeSWITCH on the PATH, while everything around breaks; 0: everything once.
SOAK_S ?= 600
soak: install
	cd tests && ../$(BIN)/python -m soak --seconds $(SOAK_S)

# CALLS calls of every kind on the simulator, and a database, a Redis and a providers file that change meanwhile.
CALLS ?= 1000000
endurance: install
	cd tests && ../$(BIN)/python -m endurance --calls $(CALLS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-ansible: install
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[ansible]'
	$(BIN)/yamllint --strict --config-file ansible/.yamllint ansible
	cd ansible && PATH="$$PWD/../$(BIN):$$PATH" ansible-lint --offline --strict

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/python docs/generate.py

# What the commands show, in docs/screens.md; a real FreeSWITCH on the PATH is one of what they are shown with.
screens: install
	PYTHONPATH=tests $(BIN)/python docs/screens.py

dist: install
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# What sipbridge depends on, for servers that reach no index; with a Python of their version, which Debian 12's is.
wheelhouse: WHEELS_PYTHON ?= /usr/bin/python3
wheelhouse:
	rm -rf dist/wheelhouse
	$(WHEELS_PYTHON) -m venv build/wheels
	build/wheels/bin/pip wheel --quiet --disable-pip-version-check --no-deps --use-pep517 --require-hashes \
	  --requirement requirements.lock --wheel-dir dist/wheelhouse

# Takes Debian 12 with debhelper and python3-venv.
deb:
	packaging/build-deb

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
