# `make` alone lists the targets. Everything runs from .venv, which `make install` keeps up to date.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
DONE   := $(VENV)/.installed
# More than cores: many tests wait for answers that take their time.
JOBS   ?= 4

# Where it is set, every command and every test process would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test notebooks mutants outsiders browser chaos gateways scale office lint format bench lab app screenshots clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(DONE)  ## put the toolkit and all its tools into .venv; does nothing when that is up to date

$(DONE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[notebook,report,test,lint]'
	@touch $@

demo: $(DONE)  ## the whole job on the local emulator: collect, publish, summarise
	$(BIN)/tokenvault demo

test: $(DONE)  ## the default test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not (browser or chaos or gateway or mutant or notebook or office or outsider or scale)'

notebooks: $(DONE)  ## whole notebooks, and the servers of lab and app, as a user starts them
	$(BIN)/python -m pytest -n $(JOBS) -m notebook

mutants: $(DONE)  ## a toolkit with one wrong line a time: somebody has to notice
	$(BIN)/python -m pytest -n $(JOBS) -m mutant

outsiders: $(DONE)  ## campaigns as a vault and a checker see them that share no code with the toolkit
	$(BIN)/python -m pytest -m 'outsider and not chaos' tests/outsiders

browser: $(DONE)  ## notebooks and the app in a real browser; needs Debian's chromium
	$(BIN)/python -m pytest -m browser

chaos: $(DONE)  ## kills, faults and outages over many rounds; SEED=N for those of an earlier run
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'chaos or mutant' $(if $(SEED),--randomly-seed=$(SEED))

gateways: $(DONE)  ## half an hour behind limiters that nobody here wrote; needs Debian's haproxy and nginx
	$(BIN)/python -m pytest -n $(JOBS) -m gateway tests/gateways

scale: $(DONE)  ## hundreds of thousands of customers
	$(BIN)/python -m pytest -m scale

office: $(DONE)  ## what a spreadsheet makes of exports; needs LibreOffice
	$(BIN)/python -m pytest -m office

lint: $(DONE)  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DONE)  ## put the code into its one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DONE)  ## measure against peers in the same run; results as JSON in benchmarks/results
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks

lab: $(DONE)  ## the notebooks in JupyterLab, as copies in tokenvault-notebooks
	$(BIN)/tokenvault lab

app: $(DONE)  ## explore and collect on a page, on the emulator
	$(BIN)/tokenvault app

screenshots: $(DONE)  ## the pictures of docs/images, made anew; needs Debian's chromium
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[pictures]'
	$(BIN)/python tests/browser/screenshots.py

clean:  ## remove what the targets made, but no collected data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
