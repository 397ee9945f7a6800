# `make help` prints what stands after `##`.
NODE := .tools/node/bin/node
BIOME := $(NODE) node_modules/@biomejs/biome/bin/biome
TSC := $(NODE) node_modules/typescript/bin/tsc
# Two files at once: each test with Envoy keeps a core busy. A test that hangs fails after two minutes.
TEST := $(NODE) --test --test-concurrency=2 --test-timeout=120000 --test-reporter=./test/support/reporter.ts
UNIT := 'src/**/*.test.ts' 'test/rules/*.test.ts' 'test/support/*.test.ts' 'test/quality/**/*.test.ts'
WITH_ENVOY := $(foreach dir,envoy cases sdk replay reload chaos cli telemetry workers docs pod hostile ledger approvals soak,'test/$(dir)/**/*.test.ts')
SETUP ?= .ci/setup

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup run test test-unit test-envoy check check-only format docs bench bench-ledger quality fuzz soak clean

help: ## this page
	@echo 'Sluice: governance for LLM traffic on a stock Envoy.'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo
	@echo 'Variables'
	@echo '  ARGS="--listen 127.0.0.1:9090"   options of `make run`; ARGS=--help lists them'
	@echo '  OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY   call the real providers; without any, a simulator'
	@echo '  ENVOY_BIN=PATH       an Envoy of 1.40 or later, instead of the one that set-up fetches'
	@echo '  FUZZ_RUNS=N          `make fuzz` does N times the usual runs (25), FUZZ_SECONDS=N at most for each property (20);'
	@echo '                       FUZZ_SEED=N repeats one; the seeds are kept in .run/fuzz.log'
	@echo '  SOAK_MINUTES=N       how long `make soak` runs (60); SOAK_CALLERS=N calls at once (16)'
	@echo '  TEST_OUTPUT=1        show what tests print'
	@echo
	@echo 'The command line itself: $(NODE) src/main.ts help'

setup: ## get Node, the npm packages, Envoy, Valkey and the Python SDKs into this folder
	@.ci/setup

run: ## set up, start Sluice and Envoy on 127.0.0.1:8080, say what to paste; Ctrl-C stops it
	@$(SETUP) run
	@$(NODE) src/main.ts up $(ARGS)

test: setup ## set up, check, then every test, real Envoy and real SDKs included
	@status=0; $(MAKE) --no-print-directory check-only || status=1; $(TEST) $(UNIT) $(WITH_ENVOY) || status=1; exit $$status

test-unit: setup ## the tests that need no Envoy
	@$(TEST) $(UNIT)

test-envoy: setup ## the tests through a real Envoy
	@$(TEST) $(WITH_ENVOY)

check: setup check-only ## format, lint, types, import rules, Kubernetes manifests

# All of it, also after a failure, so that one run shows everything.
check-only:
	@status=0; \
	$(BIOME) check --error-on-warnings --log-level=warn . || status=1; \
	$(TSC) -p . || status=1; \
	$(TEST) 'test/rules/*.test.ts' 'test/pod/manifests.test.ts' || status=1; \
	exit $$status

format: setup ## put the sources into the project's format
	@$(BIOME) check --write .

docs: setup ## write the parts of docs/ that are made from the code
	@$(NODE) test/docs/generate.ts

bench: setup ## CPU and latency against Envoy alone and a do-nothing sidecar (four minutes); bench-ledger: limits and budgets
	@$(NODE) test/bench/bench.ts $(ARGS)

bench-ledger: setup ## what limits and budgets cost: of the whole path, and a step on both stores at 1, 10, 100 and a million scopes (five minutes)
	@BENCH_POLICY=policy-ledger.yaml $(NODE) test/bench/bench.ts --only unary --subjects control,sluice
	@$(NODE) test/bench/ledger.ts $(ARGS)

quality: setup ## how well detection does, by entity; ARGS=--json for machines, --mistakes for what went wrong, --page for docs/quality.md
	@$(NODE) test/quality/quality.ts $(ARGS)

fuzz: setup ## the property tests, many more runs (a quarter of an hour at most)
	@mkdir -p .run && : > .run/fuzz.log
	@status=0; FUZZ_LOG=$(CURDIR)/.run/fuzz.log FUZZ_RUNS=$${FUZZ_RUNS:-25} FUZZ_SECONDS=$${FUZZ_SECONDS:-20} \
	$(NODE) --test --test-concurrency=2 --test-timeout=1800000 --test-reporter=./test/support/reporter.ts \
	$$(grep -l 'support/property' -r src test --include='*.test.ts') || status=1; \
	awk -F '\t' '{ runs += $$1; ms += $$2 } END { printf "fuzz: %d properties, %d runs in %d s of testing; seeds in .run/fuzz.log\n", NR, runs, ms / 1000 }' .run/fuzz.log; \
	exit $$status

soak: setup ## an hour of everything at once through a real Envoy
	@$(NODE) test/soak/main.ts

clean: ## remove everything that set-up and runs made, records of `make run` included
	rm -rf .tools node_modules .run coverage
