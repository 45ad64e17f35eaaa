# One command each: `make demo` runs the main job, `make test` passes the tests. Both set everything up themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test lint types check docs bench lock clean
help:  ## list the recipes
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/ready  ## make .venv with the locked versions

.venv/ready: requirements/dev.lock pyproject.toml
	@sh scripts/setup.sh $(PYTHON)

demo: .venv/ready  ## run the main job on a real table: load, check, train, judge, deploy, serve, roll back
	@$(BIN)/python examples/demo.py

test: .venv/ready  ## run the tests
	$(BIN)/pytest -n 2 --dist loadgroup -q

lint: .venv/ready  ## style, formatting, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/ready  ## static types
	$(BIN)/mypy

check: lint types test  ## everything CI does

docs: .venv/ready  ## write the generated pages again
	$(BIN)/python -m tidemill.testing.reference

bench: .venv/ready  ## measure against the bare libraries; figures go to docs/performance.md
	$(BIN)/python -m benchmarks

lock:  ## resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --generate-hashes --no-header --python-version 3.11 -q -o requirements/dev.lock

clean:  ## remove what the recipes made
	rm -rf .venv demo build dist
