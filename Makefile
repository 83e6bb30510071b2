# make demo [IMAGE=path]  the light runtime in .venv, run on the samples (and your picture); results in out/
# make test               everything the tests need in .venv-test, then all checks and tests
# make check              format, lint, types and layering only
# make test-oldest        the light tests under the oldest versions that pyproject.toml allows, in .venv-oldest
# make resolve            whether the installs resolve for other Pythons and machines, nothing installed
# make docs               the documentation site in site/, offline

PYTHON ?= python3.11
VENV ?= .venv
TEST_VENV ?= .venv-test
OLDEST_VENV ?= .venv-oldest
OUT ?= out
IMAGE ?=
JOBS ?= 2

LIGHT_TESTS = tests/infer tests/apps/test_cli.py tests/apps/test_video_command.py tests/apps/test_serve.py \
	tests/geometry tests/integration tests/test_environments.py tests/test_files.py tests/test_paths.py tests/test_viz.py
# of these, what needs torch, and what OpenCV 4 answers otherwise: numbers a fifth of a pixel off, a tie decided otherwise
NOT_LIGHT = --ignore tests/infer/test_full_camera.py --ignore tests/geometry/test_geometry.py \
	--ignore tests/geometry/test_heatmaps.py --ignore tests/integration/test_video_truth.py \
	--deselect tests/integration/test_shipped_weights.py::test_the_shipped_networks_say_what_they_said \
	--deselect tests/infer/test_results.py::test_many_at_once_are_as_one_by_one

.PHONY: demo test check test-oldest resolve docs clean

demo: $(VENV)/.light
	$(VENV)/bin/handscope samples $(if $(IMAGE),"$(IMAGE)") --overlay --mask --glb --json --out "$(OUT)"

test: check
	$(TEST_VENV)/bin/python -m pytest -n $(JOBS)

check: $(TEST_VENV)/.complete
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/pyright --pythonpath $(TEST_VENV)/bin/python
	$(TEST_VENV)/bin/lint-imports

test-oldest: $(OLDEST_VENV)/.complete
	$(OLDEST_VENV)/bin/python -m pytest -n $(JOBS) -m "not slow" $(LIGHT_TESTS) $(NOT_LIGHT)

resolve: $(OLDEST_VENV)/.complete
	$(OLDEST_VENV)/bin/python scripts/resolve.py $(OLDEST_VENV)/bin/uv

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

$(OLDEST_VENV)/.complete: pyproject.toml
	test -x $(OLDEST_VENV)/bin/python || $(PYTHON) -m venv $(OLDEST_VENV)
	$(OLDEST_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(OLDEST_VENV)/bin/uv pip install --quiet --python $(OLDEST_VENV)/bin/python --resolution lowest-direct \
		--editable '.[test]'
	touch $@

clean:
	rm -rf $(OUT) .pytest_cache .ruff_cache .hypothesis
