# WasmForge: `make help` says what there is.
PYTHON ?= python3
VENV := .venv/bin
BOOTSTRAP := $(PYTHON) -m deploy.bootstrap
EXECUTORS ?= 1
# Two workers, each with servers of its own; PARALLEL= runs one test after the other.
PARALLEL ?= -n 2 --dist loadfile
NATS ?= nats://127.0.0.1:4222

.DEFAULT_GOAL := help
.PHONY: help setup up down test test-long check bench bench-ai bench-sandbox executor lock

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: ## set this machine up (the others do it themselves)
	@$(BOOTSTRAP) stack

up: ## start the whole platform; EXECUTORS=3 for more replicas; Ctrl-C stops it
	@$(BOOTSTRAP) stack
	@exec $(VENV)/python -m deploy.local up --executors $(EXECUTORS)

down: ## stop it from elsewhere
	@if [ -x $(VENV)/python ]; then $(VENV)/python -m deploy.local down; else echo "WasmForge is not running"; fi

executor: ## run one executor here for a platform elsewhere: make executor NATS=nats://host:4222
	@$(BOOTSTRAP) executor
	@exec $(VENV)/python -m deploy.local executor --nats $(NATS)

test: ## run all tests with the real services; PYTEST_ARGS="-k name" for some
	@$(BOOTSTRAP) dev
	@exec $(VENV)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-long: ## the long ones: every attack twice in any order, 10,000 calls, fuzzing (about 15 minutes)
	@$(BOOTSTRAP) dev
	@$(VENV)/python -m pip install --quiet --require-hashes -r requirements/fuzz.txt || echo "without the coverage-guided fuzzer"
	@exec $(VENV)/python -m pytest -m long $(PYTEST_ARGS)

check: ## format, style and types
	@$(BOOTSTRAP) dev
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy

bench: ## measure it; BENCH_ARGS passes options on
	@$(BOOTSTRAP) dev
	@exec $(VENV)/python -m bench $(BENCH_ARGS)

bench-sandbox: ## measure the sandbox alone, every figure it promises (about 3 minutes); BENCH_ARGS=--quick for a glance
	@$(BOOTSTRAP) dev
	@exec $(VENV)/python -m bench.sandbox $(BENCH_ARGS)

bench-ai: ## measure the AI broker beside model servers without it
	@$(BOOTSTRAP) dev
	@exec $(VENV)/python -m bench.ai $(BENCH_ARGS)

# Needs uv. Versions and digests only; where packages come from is each machine's own setting.
LOCK := uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header --no-annotate
lock: ## pin the newest allowed versions in requirements/
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --extra dev -c requirements/runtime.txt -o requirements/dev.txt
	$(LOCK) --no-deps requirements/data.in -o requirements/data.txt
	$(LOCK) --no-deps requirements/engine.in -o requirements/engine.txt
	$(LOCK) --no-deps requirements/node.in -o requirements/node.txt
