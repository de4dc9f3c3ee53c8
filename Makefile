# Every target sets up what it needs: a virtual environment in .venv and, for the
# tests, Debian packages (tools/packages.txt) where that is allowed.
#
# ARGS is passed on:  make test ARGS="-k recovery"
# PYTHON names the interpreter, INSTALL=no keeps apt-get away.

BIN = .venv/bin
ARGS =
export PYTHON INSTALL

# Compiling all tests and modules anew would be a third of the work of a short run.
unexport PYTHONDONTWRITEBYTECODE

# Some tests wait, so one worker more than there are cores.
WORKERS = $(shell expr $$(nproc) + 1)

# What needs neither servers nor a browser nor a build.
QUICK = not server and not browser and not packaging

.DEFAULT_GOAL = help
.PHONY: help demo test quick lint format types bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | \
		while IFS="$$(printf '\t')" read -r name does; do \
			printf '  make %-8s %s\n' "$$name" "$$does"; done

demo: ## the gate in front of a sample application, with a user to sign in as
	@tools/environment
	@$(BIN)/totp-gate demo $(ARGS)

test: ## every test, with servers and a browser
	@tools/environment dev
	@tools/packages
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

quick: ## the tests that need no server, browser or build, about a minute
	@tools/environment dev
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "$(QUICK)" $(ARGS)

lint: ## style, format and the direction of imports
	@tools/environment dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: ## put the code into its format
	@tools/environment dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: ## mypy, strict
	@tools/environment dev
	@$(BIN)/mypy

bench: ## what the gate costs, as a table of ratios
	@tools/environment dev
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove all that these commands have made
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
