# make demo [IMAGE=path]  the light runtime in .venv, run on the samples (and your picture); results in out/
# make test               everything the tests need in .venv-test, then all checks and tests
# make check              format, lint, types and layering only
# make docs               the documentation site in site/, offline

PYTHON ?= python3.11
VENV ?= .venv
TEST_VENV ?= .venv-test
OUT ?= out
IMAGE ?=
JOBS ?= 2

.PHONY: demo test check docs clean

demo: $(VENV)/.light
	$(VENV)/bin/handscope samples $(if $(IMAGE),"$(IMAGE)") --overlay --mask --glb --json --out "$(OUT)"

test: check
	$(TEST_VENV)/bin/python -m pytest -n $(JOBS)

check: $(TEST_VENV)/.complete
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/pyright --pythonpath $(TEST_VENV)/bin/python
	$(TEST_VENV)/bin/lint-imports

docs: $(TEST_VENV)/.complete
	$(TEST_VENV)/bin/python -m mkdocs build --strict

$(VENV)/.light: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(TEST_VENV)/.complete: pyproject.toml constraints-cpu.txt
	test -x $(TEST_VENV)/bin/python || $(PYTHON) -m venv $(TEST_VENV)
	$(TEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-cpu.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(OUT) .pytest_cache .ruff_cache .hypothesis
