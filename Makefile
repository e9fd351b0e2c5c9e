# Every target does its own set-up, in .venv, from nothing. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# What an installation depends on; the package itself is installed in place.
INSTALLS_FROM := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

.PHONY: demo
demo: $(VENV)/light ## tag, count and report the sample posts; prints where the page is
	@$(BIN)/murmure demo

.PHONY: test
test: $(VENV)/dev ## run all tests
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

.PHONY: lint
lint: $(VENV)/dev ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: docs
docs: $(VENV)/dev ## build the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: constraints
constraints: ## renew constraints.txt with the newest versions that fit
	rm -rf $(VENV)-new
	$(PYTHON) -m venv $(VENV)-new
	$(VENV)-new/bin/python -m pip install --quiet --dry-run --report $(VENV)-new/report.json \
		'.[benchmarks,dev,train,spark]'
	$(VENV)-new/bin/python -c "$$WRITE_CONSTRAINTS" $(VENV)-new/report.json constraints.txt
	rm -rf $(VENV)-new

.PHONY: clean
clean: ## remove .venv and all that was made
	rm -rf $(VENV) $(VENV)-new demo dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

define WRITE_CONSTRAINTS
import json, pathlib, sys
report, file = map(pathlib.Path, sys.argv[1:])
found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
pins = {
    f"{one['name'].replace('_', '-').lower()}=={one['version'].split('+')[0]}"
    for one in found
    if one["name"] not in ("murmure", "setuptools")
}
head = [line for line in file.read_text().splitlines() if line.startswith("#")]
file.write_text("\n".join([*head, *sorted(pins)]) + "\n")
endef
export WRITE_CONSTRAINTS

# The extras make a superset of the light installation, so that both share one .venv.
$(VENV)/light: $(VENV)/bin/python $(INSTALLS_FROM)
	@echo 'installing murmure into $(VENV) …' >&2
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/dev: $(VENV)/bin/python $(INSTALLS_FROM)
	@echo 'installing murmure and what its tests need into $(VENV) …' >&2
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/light

# No prerequisite: a venv is made once. Where the Python it was made with is gone, `make clean`.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'murmure needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
