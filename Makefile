# Every habit of the project is one word here; CI calls the same words.
# `make help` lists them. What they need is made by scripts/prepare.py, once, and again only when its inputs change.

.DEFAULT_GOAL := help
.PHONY: help run test lint types docs soak bench lock clean python app tools peers browser

# A .venv that works goes on with its own Python. PYTHON=python3.12 chooses another.
ifndef PYTHON
PYTHON := $(shell .venv/bin/python -c '' 2>/dev/null && echo .venv/bin/python || echo python3)
endif

help: ## List these words
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

run: app ## Start Recado with its demo on http://127.0.0.1:8000 (RECADO_HOST, RECADO_PORT)
	@exec .venv/bin/recado serve --demo

test: browser ## Everything that must hold before a change lands: lint, types, imports, tests, browsers
	@exec .venv/bin/python scripts/check.py

lint: tools ## Style of Python and web sources, and which way imports point
	@exec .venv/bin/python scripts/check.py lint imports

types: tools ## mypy --strict and tsc
	@exec .venv/bin/python scripts/check.py types

docs: tools ## Is the documentation complete? Runs the tests that compare it with the code
	@exec .venv/bin/python scripts/check.py docs

soak: browser ## Tests marked soak: rounds of chaos that take too long for `make test`
	@exec .venv/bin/python scripts/check.py soak

bench: peers ## Recado beside the stack people write today; writes docs/benchmarks.md
	@.venv/bin/python bench/durable.py
	@.venv/bin/python bench/scale.py
	@.venv/bin/python bench/cache.py
	@exec .venv/bin/python bench/fanout.py

lock: tools ## Compile the lockfiles again (UPGRADE=1 takes newer versions)
	@exec .venv/bin/python scripts/lock.py

clean: ## Remove all that was made here, but not var/, which holds your data
	rm -rf .venv .stamps web/node_modules src/recado/webapp
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts bench -name __pycache__ -prune -exec rm -rf {} +

python:
	@sh scripts/need-python.sh "$(PYTHON)"

app: python
	@"$(PYTHON)" scripts/prepare.py app

tools: python
	@"$(PYTHON)" scripts/prepare.py app tools

browser: python
	@"$(PYTHON)" scripts/prepare.py app tools postgres redis browser

peers: python
	@"$(PYTHON)" scripts/prepare.py app bench postgres redis
