# The only doors. Each makes the virtual environment it needs; nothing but Python >= 3.11, pip and make is assumed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
SIZE ?= 2000

.PHONY: help demo lab report test coverage check format bench docs external campaign mutants oldest clean
help:  ## list the doors
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/core: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chainrule needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/pictures: $(VENV)/core
	$(PIP) -e '.[pictures]'
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/mutants: $(VENV)/dev
	$(PIP) -e '.[mutants]'
	@touch $@

$(VENV)/external: $(VENV)/dev
	$(PIP) -e '.[external]'
	@touch $@

$(VENV)/bench: $(VENV)/dev
	$(PIP) -e '.[bench]'
	@touch $@

demo: $(VENV)/core  ## train 784-16-16-10 on all of MNIST, with live progress
	$(BIN)/chainrule train mnist --network 784-16-16-10 --epochs 5

lab: $(VENV)/core  ## a live page of a network while it learns, in your browser
	$(BIN)/chainrule lab

report: $(VENV)/pictures  ## the newest run in runs/ (the demo, if there is none) as one page, report.html
	@test -f runs/latest.txt || $(MAKE) demo
	$(BIN)/chainrule report runs/latest --output report.html

test: $(VENV)/dev  ## every test, on all cores
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(PYTEST_OPTIONS)

coverage: $(VENV)/dev  ## the same, and which lines they reach: half as long again
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --cov --cov-report=term --cov-fail-under=90

check: $(VENV)/dev  ## format, lint, types, of Python and of the page
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/basedpyright --project benchmarks
	$(BIN)/deno check --quiet src/chainrule/lab/page/*.js

format: $(VENV)/dev  ## let ruff lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/bench  ## the whole way from call to answer; every workload beside its peers, in turn, and with AVX2; a busy neighbour; how cost grows
	$(BIN)/python benchmarks/whole_way.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/compare.py --avx2
	$(BIN)/python benchmarks/neighbour.py
	$(BIN)/python benchmarks/scaling.py

docs: $(VENV)/docs  ## reference pages from the docstrings, the notebooks and the gallery, into docs/site
	$(BIN)/pdoc --output-directory docs/site --docformat markdown chainrule
	$(BIN)/python docs/notebooks/render.py docs/site/notebooks
	$(BIN)/python docs/gallery/build.py docs/site/gallery

external: $(VENV)/external  ## what other libraries check of their kind: scikit-learn's estimators and perceptrons, ONNX's operators, PyTorch's modules and ops, Keras' layers
	$(BIN)/python -m pytest tests/external/sklearn_checks.py -W ignore -p no:cacheprovider
	$(BIN)/python -m pytest tests/external/sklearn_mlp.py -W ignore -p no:cacheprovider
	$(BIN)/python -m pytest tests/external/onnx_nodes.py -W ignore -p no:cacheprovider -r fE
	KERAS_BACKEND=torch $(BIN)/python -m pytest tests/external/objects.py tests/external/torch_tutorials.py tests/external/keras_tutorials.py tests/external/bends.py tests/external/carried.py tests/external/pages.py tests/external/flax_models.py -p no:cacheprovider
	$(BIN)/python -m pytest tests/external/records.py -p no:cacheprovider
	$(BIN)/python -m pytest tests/external/executors.py -W ignore -p no:cacheprovider
	HOSTS=4 $(BIN)/python -m pytest tests/train/test_hosts.py -p no:cacheprovider
	$(BIN)/python -m tests.external.torch_modules
	$(BIN)/python -m tests.external.torch_ops
	KERAS_BACKEND=torch $(BIN)/python -m tests.external.keras_layers

campaign: $(VENV)/dev  ## long fuzzing: make campaign SIZE=10000
	CAMPAIGN_SIZE=$(SIZE) $(BIN)/python -m pytest tests/campaign -p no:cacheprovider

mutants: SIZE = 200
mutants: $(VENV)/mutants  ## change the source in SIZE places, one at a time: the nearest tests must notice 95 %
	$(BIN)/python -m tests.mutants.run --size $(SIZE) $(MUTANTS_OPTIONS)

oldest:  ## every test with the oldest version of each dependency that is allowed; for another Python: make oldest PYTHON=python3.13
	$(PYTHON) tests/oldest.py > .oldest.txt
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=.oldest.txt PYTEST_OPTIONS='-W ignore::DeprecationWarning'  # of old packages about new ones

clean:  ## remove what the doors made
	rm -rf .venv .venv-oldest .oldest.txt .pytest_cache .ruff_cache .coverage htmlcov docs/site runs report.html .mutants
