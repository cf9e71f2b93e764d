# make          set up .venv and regenerate every table and figure of the laptop preset
# make help     the other targets

PRESET ?= laptop
CORES ?= all
PYTHON ?= python3
KILLS ?= 50
CLONES ?= 20
BIN := .venv/bin
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --config preset=$(PRESET)

.PHONY: run smoke test lint format schema lock soak bench bench-gpu push pull record help
.DEFAULT_GOAL := run

run: $(BIN)/.installed ## everything: data, training, samples, tables, figures, claims (PRESET=laptop)
	@$(SNAKEMAKE)

smoke: $(BIN)/.installed ## every rule with tiny numbers, in a few minutes
	@$(MAKE) --no-print-directory run PRESET=smoke

test: $(BIN)/.installed ## the tests, without the slow ones (TESTS= all of them)
	@$(BIN)/python -m pytest $(if $(filter undefined,$(origin TESTS)),-m "not slow",$(TESTS))

lint: $(BIN)/.installed ## ruff, mypy, snakefmt, and Snakemake's own lint
	@$(BIN)/ruff check src tests benchmarks
	@$(BIN)/ruff format --check src tests benchmarks
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/python workflow/lint.py

format: $(BIN)/.installed ## put the code into its form
	@$(BIN)/ruff check --fix src tests benchmarks
	@$(BIN)/ruff format src tests benchmarks
	@$(BIN)/snakefmt Snakefile workflow

schema: $(BIN)/.installed ## config/schema.json from the models in config.py
	@$(BIN)/python -m rediffuse.presets > config/schema.json

lock: ## requirements.lock anew (needs uv on the PATH)
	@printf 'torch==2.15.0\ntorchvision==0.29.2\nsetuptools\n' | uv pip compile - pyproject.toml --extra dev --quiet \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links > .lock
	@{ head -1 requirements.lock; cat .lock; } > .lock.new && mv .lock.new requirements.lock && rm .lock

soak: $(BIN)/.installed ## clones, and kills at random moments: results/soak.md (KILLS=50 CLONES=20)
	@$(BIN)/python tests/soak.py --kills $(KILLS) --clones $(CLONES) --out results/soak.md

bench: $(BIN)/.installed ## speed beside diffusers' and the machine's limits, on the CPU: docs/performance.md (twenty minutes, idle)
	@$(BIN)/rediffuse bench --device cpu

bench-gpu: $(BIN)/.installed ## the same on a GPU, into the same page
	@$(BIN)/rediffuse bench --device cuda

# A pull that was killed can leave DVC's own notes of the workspace behind its files: the next pull then fails, and the one after is whole.
push pull: $(BIN)/.installed ## what is recorded, to or from the DVC remote
	@test -n "$$($(BIN)/dvc config core.remote)" || \
		{ echo 'make $@: no DVC remote; name one: .venv/bin/dvc remote add --default store URL (docs/sharing.md)' >&2; exit 2; }
	@$(BIN)/python -m rediffuse.pipeline.mend
	@$(BIN)/dvc --wait-for-lock $@ || $(BIN)/dvc --wait-for-lock $@

record: run ## the run's snapshot for git (docs/results/) and its files for DVC
	@$(BIN)/python -m rediffuse.pipeline.mend
	@stages=$$($(BIN)/rediffuse record --preset $(PRESET)) && $(BIN)/dvc --wait-for-lock commit --force --quiet --no-relink $$stages
	@git add dvc.yaml dvc.lock docs/results
	@echo "Recorded: commit what git has staged; dvc push sends the files to your remote."

help: ## this list
	@grep -hE '^[a-z -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "make %-9s %s\n", $$1, $$2}'

$(BIN)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: found Python %d.%d; expected 3.11 or later: make PYTHON=..." % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
