# Regente: `make run` starts everything, `make test` runs the suite, `make check` is the gate (see also .ci/run).
# A machine with Python 3.11 or newer and make is enough; everything else is installed into .venv.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
LAUNCH := $(BIN)/python -m config.launch
# Checks import the settings, which would otherwise make a secret key in .data.
THROWAWAY_KEY := SECRET_KEY=checks-keep-no-secret-with-this-one

.PHONY: run test check check-database coverage bench chaos guide measure shell lock clean venv install install-dev
.DEFAULT_GOAL := run

run: install
	@exec $(LAUNCH)

test: install-dev
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile

check: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(THROWAWAY_KEY) $(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(LAUNCH) exec --temporary -- $(MAKE) --no-print-directory check-database

# Needs a database: `make check` calls it with a temporary one.
check-database:
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

# Lines and branches that the tests reach, per app, in all processes that they start; fails below the limits.
coverage: install-dev
	@$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 --dist loadfile
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage json --quiet -o .coverage.json
	@$(BIN)/python -m tests.measure.coverage .coverage.json

# The figures of the engine, each next to the floor it is measured against; the numbers go to bench.json.
bench: install-dev
	@exec $(LAUNCH) exec --temporary -- $(BIN)/python -m tests.bench

# The durability tests at full size: they kill workers, the database and the broker for some minutes.
chaos: install-dev
	@exec $(BIN)/python -m tests.durability

# Sizes and names of the source, each with its limit.
measure: install-dev
	@$(BIN)/python -m tests.measure

# The generated tables of docs/guide.
guide: install-dev
	@exec $(LAUNCH) exec --temporary -- $(BIN)/python -m tests.guide

# Django's shell on DATA_DIR: on the product that runs there, else on servers started for it.
shell: install
	@exec $(LAUNCH) exec -- $(BIN)/python manage.py shell

# requirements*.txt from requirements*.in: exact versions with hashes, for every Python from 3.11 on.
lock: venv
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/pip install --quiet uv
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-sso.in -c requirements.txt -o requirements-sso.txt
	$(LOCK) requirements-dev.in -c requirements.txt -c requirements-sso.txt -o requirements-dev.txt
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes

# What can be made again; your data in .data stays.
clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; PYTHON=/path/to/python3 make … names one."; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null && test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv || \
		{ echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }

install: venv
	@$(call packages,requirements.txt)

install-dev: venv
	@$(call packages,requirements-dev.txt)
	@cp requirements.txt .venv/requirements.txt

# Compiled on all cores at once: where nobody may write bytecode later, each process would compile what it imports.
# $(call packages,FILE): FILE is installed; nothing is done when .venv has a copy of it, left by the last time.
define packages
cmp -s $(1) .venv/$(1) || { \
	began=$$(date +%s); echo "Installing $$(grep -c == $(1)) packages of $(1) into .venv (a minute or two) ..."; \
	$(BIN)/pip install -qq --disable-pip-version-check --no-input --no-compile --require-hashes -r $(1) && \
	{ $(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true; } && \
	cp $(1) .venv/$(1) && echo "Installed after $$(($$(date +%s) - began)) s."; }
endef
