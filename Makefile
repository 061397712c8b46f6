# `make` runs what CI runs. `make PYTHON=python` uses an environment of your own instead of .venv.

VENV := .venv
PYTHON ?= $(VENV)/bin/python
PYTEST = $(PYTHON) -m pytest -q
RULES = tests/project/test_layers.py tests/methods/test_catalogue_complete.py tests/kernels/test_kernels_policy.py tests/project/test_packaging.py

# The tests of other targets, so that nothing runs twice.
ELSEWHERE = $(foreach file,$(RULES) tests/project/test_lint.py tests/project/test_documents.py,--ignore=$(file))

.PHONY: all environment format format-check lint types layers tests documents documents-write screenshots uncompiled site bench

all: format-check lint types layers tests documents

environment: $(if $(filter $(VENV)/bin/python,$(PYTHON)),$(VENV)/installed)

$(VENV)/installed: setup.cfg
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q -e '.[test]'
	touch $@

format: environment
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

format-check: environment
	$(PYTHON) -m ruff format --check .

lint: environment
	$(PYTHON) -m ruff check .

types: environment
	$(PYTHON) -m mypy

layers: environment
	$(PYTEST) -n 0 $(RULES)

tests: environment
	$(PYTEST) $(ELSEWHERE)

documents: environment
	$(PYTEST) tests/project/test_documents.py

documents-write: environment
	$(PYTHON) tests/support/documents.py --write

# The pictures of the README, in a headless Chromium.
screenshots: environment
	PYTHONPATH=.:tests/support $(PYTHON) tests/support/screenshots.py

# The kernels as plain Python, on the models that are small enough for it.
uncompiled: environment
	NUMBA_DISABLE_JIT=1 $(PYTEST) -m small

# The documents as pages for the browser, in build/site, by a generator that has an environment of its own.
SITE_VENV := .venv-site
SITE_PYTHON ?= $(SITE_VENV)/bin/python

site: $(if $(filter $(SITE_VENV)/bin/python,$(SITE_PYTHON)),$(SITE_VENV)/installed)
	$(SITE_PYTHON) -m website build/site

$(SITE_VENV)/installed: setup.cfg
	python3 -m venv $(SITE_VENV)
	$(SITE_VENV)/bin/python -m pip install -q -e '.[docs]'
	touch $@

bench: environment
	$(PYTHON) -m benchmarks
