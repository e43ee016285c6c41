# Needs Python >= 3.11 and make. `make demo` compares published regimens; `make test` runs the tests.
PYTHON ?= python3
BIN := .venv/bin
RESULTS ?= results/demo

.PHONY: demo test lint bench clean

demo: .venv/.ready
	$(BIN)/pkpd compare \
	  pss_nct02464319 \
	  "0.5 MIU sc qd 14d on / 14d off x 3" \
	  "0.25 MIU sc qd x 12 wk" \
	  sle_dose_finding_0.2 sle_dose_finding_0.5 sle_dose_finding_1 \
	  dilfrequency cgvhd_koreth2016 lupil2 placebo \
	  --patients 1000 --weeks 24 --seed 1 --out $(RESULTS)

test: .venv/.dev
	$(BIN)/python -m pytest -q --numprocesses=auto --maxprocesses=4 --dist=worksteal --durations=15

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/.dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	$(BIN)/python benchmarks/run.py

.venv/.made:
	$(PYTHON) -c 'import sys; sys.exit("pkpd needs Python >= 3.11, this is " + sys.version.split()[0] + "; try make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	touch $@

.venv/.ready: .venv/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/.dev: .venv/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[tests,dev]"
	touch $@

clean:
	rm -rf .venv build dist results
