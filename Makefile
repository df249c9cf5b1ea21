# The one task runner. Everything is installed into $(VENV); nothing else on the machine is touched.
VENV ?= .venv
PYTHON ?= python3
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
PYTEST := $(VENV)/bin/python -m pytest -n 2

.PHONY: demo test bench nightly lint clean

demo: $(VENV)/.base
	$(VENV)/bin/hao demo

test: $(VENV)/.test lint
	$(PYTEST) -m "not nightly"

bench: $(VENV)/.test
	$(VENV)/bin/hao bench --json build/bench.json

nightly: $(VENV)/.test
	$(PYTEST) -m nightly

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

clean:
	rm -rf build

$(VENV)/.base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "hao: Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	@$(PYTHON) -m hao.cli.doctor
	@echo "Installing the base dependencies into $(VENV) (about 130 MB to download)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@$(PYTHON) -m hao.cli.doctor --tests
	@echo "Installing the test extras into $(VENV) (about 260 MB to download where a CPU build of torch is offered, up to 2.9 GB where it is not)"
	$(PIP) install --quiet --constraint constraints.txt --editable '.[torch,train,search,synth,test]'
	@touch $@
