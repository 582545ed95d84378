# Two doors: `make demo` shows what Reverie does, `make test` checks that it does it.
# `make web` brings the front-end files of others that exported pages hold; without npm only those pages are missing.
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
SET_UP := @echo "Setting up .venv, once: a minute, or several where PyTorch has to come over the network." && $(PYTHON) -m venv .venv
INSTALL := @$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo web test test-all lint types results bench bench-peers clean

demo: .venv/demo
	$(BIN)/reverie demo

web: .venv/dev
	$(BIN)/python -m reverie.web.fetch

test: .venv/dev lint types
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile -m "not slow"

test-all: .venv/dev lint types
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

results: .venv/dev
	$(BIN)/python benchmarks/reproduce.py

bench: .venv/dev .venv-peers/ready
	$(BIN)/python benchmarks/speed.py

bench-peers: .venv-peers/ready

.venv/demo: pyproject.toml constraints.txt
	$(SET_UP)
	$(INSTALL) --editable '.[demo]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt
	$(SET_UP)
	$(INSTALL) --editable '.[dev]'
	-$(BIN)/python -m reverie.web.fetch
	@touch $@ .venv/demo

.venv-peers/ready: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	@touch $@

clean:
	rm -rf .venv .venv-peers
