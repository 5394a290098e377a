# The habits of this repository. Each target is one script, which says what it does and sets up what it needs.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench soak dist

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## train LeNet on MNIST six times, see the table, the curves, the report
	@scripts/demo.sh

test: ## every test (ROUNDS=n: rounds of the random ones)
	@scripts/test.sh

check: ## format, lints, docs, structure, licences, advisories, references, long files
	@scripts/check.sh

bench: ## the measured promises, as ratios
	@scripts/bench.sh

soak: ## the random tests with their full counts
	@scripts/soak.sh

dist: ## one binary for Linux x86_64, glibc 2.17 and later
	@scripts/dist.sh
