# Two commands do everything on a machine with Python 3.11+ and make: `make demo` and `make test`.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: check-dependencies wheel demo test faults bench lint types imports unit format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the whole story on sandbox vendors, in a throw-away home"
	@echo "make test    style, types, import direction and all tests"
	@echo "make faults  every fault, kill, power cut and mutant; writes docs/reliability.md (half an hour or more)"
	@echo "make bench   every figure of docs/performance.md, against its limit (about twenty minutes, on a quiet machine)"
	@echo "make format  put the code into its style"
	@echo "make wheel   source distribution and wheel, with an SBOM, in dist/"
	@echo "make check-dependencies  licences (offline), known vulnerabilities (asks a service)"
	@echo "make clean   remove the private virtual environment and caches"

demo: $(VENV)/.habeas
	$(BIN)/habeas demo

test: lint types imports unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist worksteal

# Figures are kept until the next run begins: what is written is what the last run found.
faults: $(VENV)/.dev
	rm -rf build/figures
	HABEAS_FIGURES=build/figures $(BIN)/pytest -n auto --dist worksteal -m faults --durations=15
	$(BIN)/python docs/make_reliability.py build/figures

# Goes on where a limit is missed, and says so at the end.
bench: $(VENV)/.dev
	rm -rf build/bench
	@for name in startup appends rate erasures growth consent_file verify_ledger; do \
		HABEAS_BENCH=build/bench $(BIN)/python -m bench.$$name || missed="$$missed $$name"; \
	done; \
	$(BIN)/python docs/make_performance.py build/bench; test -z "$$missed" || { echo "missed:$$missed" >&2; exit 1; }

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tools' own dependencies are kept out of the environment of the tests.
check-dependencies: $(VENV)/.dev $(VENV)/.audit
	$(BIN)/python -m supply.licences
	@mkdir -p build
	$(BIN)/python -m supply.closure > build/closure.txt
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r build/closure.txt

wheel: $(VENV)/.dev
	rm -rf build/sbom dist
	$(BIN)/python -m supply.sbom build/sbom/habeas.cdx.json
	HABEAS_SBOM=build/sbom/habeas.cdx.json $(BIN)/python -m hatchling build
	cp build/sbom/habeas.cdx.json dist/

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.habeas: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.habeas

$(VENV)/.audit: $(VENV)/.python pyproject.toml
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
