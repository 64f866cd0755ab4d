PYTHON ?= python3
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test test-slow check format dev bench soak night mutations

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/auto_label generate -e demo/spec.yaml

test: setup
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-slow: setup
	$(BIN)/pytest -n 2 --dist loadfile -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m bench.request_path
	$(BIN)/python -m bench.one_machine

soak: setup
	$(BIN)/python -m bench.soak
	$(BIN)/python -m bench.storm
	$(BIN)/python -m bench.hostile_memory

night: setup
	$(BIN)/python -m bench.night

mutations: setup
	MUTATIONS=5000 $(BIN)/pytest tests/vlm/test_mutations.py

dev: setup
	DAGSTER_HOME=$(CURDIR) $(BIN)/dagster dev -h 127.0.0.1 -p $(PORT)
