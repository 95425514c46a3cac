# One entry for each thing a person does here. Needs python3.11 and make; the rest is set up in .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CASES ?=

.DEFAULT_GOAL := help
CHECK ?=
SHARD ?=
ONLY ?=

.PHONY: help demo test lint golden matrix-table heads learn mutants transfer zoo zoo-quick zoo-numeric fuzz others \
	install-test scenarios bench ship matrix clean $(VENV)

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(VENV): $(READY)

# The stamp is touched last: a set-up that broke off half-way is made again.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## compile the README's example, load it in a second process, compare the outputs
	$(BIN)/python demo/run.py

test: lint ## lint, types and all tests but the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not slow'

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

golden: $(READY) ## generate the golden packages anew (CASES="llama_eps ..." for some of them)
	$(BIN)/archit generate --spec golden/archit.toml --force $(CASES)

matrix-table: $(READY) ## write the table of models and modifications in README.md anew (minutes)
	$(BIN)/python -m tests.matrix_table

heads: $(READY) ## every task on every base model of transformers, writes docs/heads.md (an hour; ONLY="bert gpt2", missing, changed)
	ONLY="$(ONLY)" $(BIN)/python -m tests.heads

learn: $(READY) ## an emitted head for each task learns a toy problem, from chance to more than 95 % (minutes)
	$(BIN)/python -m tests.heads.learn

install-test: $(READY) ## wheel, sdist and editable install, each in a clean environment
	$(BIN)/python -m pytest tests/test_install.py

mutants: $(READY) ## plant mistakes in emitted packages and write docs/mutants.md (minutes)
	$(BIN)/python -m tests.mutants

zoo: $(READY) ## every class of transformers x 20 modifications, writes docs/zoo-ledger.tsv (SHARD=3/16, CHECK=--check)
	SHARD=$(or $(SHARD),1/1) $(BIN)/python -m tests.zoo $(CHECK)

transfer: $(READY) ## surgeries as functions of the config, judged at another one; writes docs/transfer.tsv
	$(BIN)/python -m tests.zoo.transfer

zoo-quick: $(READY) ## every class with two modifications; compares with the ledger
	SHARD=$(or $(SHARD),1/1) $(BIN)/python -m tests.zoo --quick --check

zoo-numeric: $(READY) ## small models with weights of every class, outputs compared, writes docs/zoo-numeric.tsv (SHARD, CHECK)
	SHARD=$(or $(SHARD),1/1) $(BIN)/python -m tests.zoo.numeric_run $(CHECK)

fuzz: $(READY) ## N random sequences of modifications from SEED, writes a line of docs/fuzz.md
	$(BIN)/python -m tests.zoo.fuzz $(or $(N),100) --seed $(or $(SEED),1)

others: $(READY) ## root classes of other libraries, which it installs; writes docs/others.tsv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,zoo]'
	$(BIN)/python -m tests.zoo.others $(CHECK)

scenarios: $(READY) ## hooks in real repositories, killed runs, full disks (half an hour)
	$(BIN)/python -m pytest tests/scenarios tests/test_faults.py

bench: $(READY) ## compile time, memory and growth as ratios, writes docs/speed.md (PART="ratios report" for some of it)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks $(PART)

ship: $(READY) ## packages in processes without archit_codegen: everything, the slow part too (minutes)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/ship tests/test_checkpoints.py

matrix: $(READY) ## the golden surgeries on five versions of transformers, each in its own environment, into docs/versions.md
	$(BIN)/python -m tests.versions

clean: ## remove what was made here
	rm -rf $(VENV) .matrix build dist .mypy_cache .pytest_cache .ruff_cache
