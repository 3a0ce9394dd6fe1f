SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# The newest interpreter known to have every wheel; set PYTHON to choose another.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
PRODUCTION := DJANGO_SETTINGS_MODULE=energy_portal.settings.production \
	SECRET_KEY=only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ \
	DATABASE_URL=postgresql://portal@localhost/portal REDIS_URL=redis://localhost:6379/0 MQTT_URL=mqtt://localhost \
	ALLOWED_HOSTS=portal.example EMAIL_URL=smtp://localhost:25
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# Tests start dozens of processes; without kept bytecode each would compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo test check test-browser bench soak chromium

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.installed: requirements.txt
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

run: $(VENV)/.installed ## start everything and print where to log in
	@$(BIN)/python manage.py portal

demo: $(VENV)/.installed ## wipe and reload the demo data
	@$(BIN)/python manage.py demo --wipe

test: $(VENV)/.installed ## the whole suite, in parallel
	@$(BIN)/python -m pytest -n auto

check: $(VENV)/.installed ## lint, types, layers, migrations, deployment settings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports
	@DJANGO_SETTINGS_MODULE=energy_portal.settings.test $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

test-browser: $(VENV)/.installed chromium ## the pages in a real browser
	@$(BIN)/python -m pytest -n auto tests/browser

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { command -v apt-get >/dev/null && $(AS_ROOT) apt-get update --quiet=2 \
			&& $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends chromium; } \
		|| { echo "The browser tests need chromium: install it with your system's package manager." >&2; exit 1; }

bench: $(VENV)/.installed ## the benchmarks, a line of JSON each
	@$(BIN)/python -m tests.benchmarks

soak: $(VENV)/.installed ## ten minutes of load; fails when memory grows (SOAK_SECONDS, SOAK_RATE)
	@$(BIN)/python -m tests.benchmarks.soak
