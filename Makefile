PYTHON ?= python3
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# of tests at a time: more than two cores have room for, since half of a test is waiting
JOBS ?= 3
PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# bytecode is kept: every process of the tests, and every command that they start, reads it again
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test test-slow test-postgres cluster-test cluster-check check format dev bench soak night mutations

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/auto_label generate -e demo/spec.yaml

test: setup
	$(PYTEST) -m "not slow"

test-slow: setup
	$(PYTEST) -m slow

# the assets' and the commands' tests once more with PostgreSQL
test-postgres: setup
	GROUNDING_TEST_STORAGE=postgres $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/assets \
		tests/doors tests/endurance/test_two_runs.py

# machines of a cluster that die, simulated: 3,000 samples; cluster-check is the small form
cluster-test: setup
	GROUNDING_CLUSTER=full $(BIN)/pytest tests/cluster

cluster-check: setup
	$(BIN)/pytest tests/cluster

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
	$(BIN)/pytest --hypothesis-profile thorough tests/vlm/test_mutations.py tests/core/test_replies_fuzz.py tests/core/test_spans_generated.py

dev: setup
	DAGSTER_HOME=$(CURDIR) $(BIN)/dagster dev -h 127.0.0.1 -p $(PORT)
