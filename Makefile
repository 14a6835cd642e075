# The only doors. Each makes the virtual environment it needs; nothing but Python >= 3.11, pip and make is assumed.
PYTHON ?= python3
BIN := .venv/bin
SIZE ?= 2000

.PHONY: help demo report test coverage check format bench docs campaign clean
help:  ## list the doors
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/core: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chainrule needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/pictures: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[pictures]'
	@touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv/docs: .venv/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

.venv/bench: .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

demo: .venv/core  ## train 784-16-16-10 on all of MNIST, with live progress
	$(BIN)/chainrule train mnist --network 784-16-16-10 --epochs 5

report: .venv/pictures  ## the newest run in runs/ (the demo, if there is none) as one page, report.html
	@test -f runs/latest.txt || $(MAKE) demo
	$(BIN)/chainrule report runs/latest --output report.html

test: .venv/dev  ## every test, on all cores
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

coverage: .venv/dev  ## the same, and which lines they reach: half as long again
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term --cov-fail-under=90

check: .venv/dev  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: .venv/dev  ## let ruff lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/bench  ## every workload beside its peers, in turn; a busy neighbour; how cost grows
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/neighbour.py
	$(BIN)/python benchmarks/scaling.py

docs: .venv/docs  ## reference pages from the docstrings and the gallery, into docs/site
	$(BIN)/pdoc --output-directory docs/site --docformat markdown chainrule
	$(BIN)/python docs/gallery/build.py docs/site/gallery

campaign: .venv/dev  ## long fuzzing: make campaign SIZE=10000
	CAMPAIGN_SIZE=$(SIZE) $(BIN)/python -m pytest tests/campaign -p no:cacheprovider

clean:  ## remove what the doors made
	rm -rf .venv .pytest_cache .ruff_cache .coverage htmlcov docs/site runs report.html
