# Setup: the only entry points people need. Each target installs what it lacks, builds, and then does its job.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

TARGET := $(abspath $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target))
# Runs the TypeScript of tests/ with node's own test runner; its last lines are the summary.
NODE_TEST := node --import tsx --test --test-concurrency=1 --test-reporter=spec
# Minutes that the viewers' test of `make soak` watches.
SOAK_MINUTES ?= 10
# Parts of `make bench` (latency input sound resize congestion first-frame costs failover relay operator encoders), and cases of its latency or its
# congestion part by what their names have in them, such as BENCH=latency CASES="1920x1080@60 text, typing"; all if empty.
# VDI_BENCH_SECONDS is the window, VDI_BENCH_TRACES are files of Mahimahi traces for congestion, with commas between them.
BENCH ?=
CASES ?=
# Options for the launcher of `make run`, such as RUN="--framerate 30".
RUN ?=

.PHONY: help
help: ## Show this text
	@echo 'gst-vdi: a Linux desktop in any browser. Targets:'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

.PHONY: run
run: setup-run page ## A desktop in your browser: prints URL, user and password; Ctrl-C ends it
	cargo build --release --package vdi-launcher
	exec scripts/run.sh $(RUN)

.PHONY: test
test: setup page test-rust test-web test-plugin test-browser ## Everything that can fail: Rust, the page, the examples, a real browser

.PHONY: check
check: setup page ## The same checks as CI: formats, lints, licences, types, tidiness
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	scripts/cargo-deny.sh --workspace --log-level error check licenses bans sources
	npm run --silent typecheck --workspaces --if-present
	npm run --silent lint --workspaces --if-present
# By itself: cargo would first build the plugin, and all that the plugin's other tests need, for minutes.
	mkdir -p $(TARGET) && CARGO_MANIFEST_DIR="$(CURDIR)" rustc --edition 2024 --test tests/tidy.rs -o $(TARGET)/tidy
	$(TARGET)/tidy --quiet

.PHONY: bench
bench: setup page ## Latency to the glass beside two naive senders, congestion control on played links, CPU, memory, encoders, fail-over, the operator: tables and plots in target/bench/
	cargo build --release --workspace
	VDI_PROFILE=release VDI_BENCH_PARTS="$(BENCH)" VDI_BENCH_CASES="$(CASES)" node --import tsx tests/bench/main.ts

.PHONY: images
images: setup page ## The container images of deploy/images, without a registry, into target/images/ (needs root)
	cargo build --release --workspace
	VDI_PROFILE=release scripts/images.sh

.PHONY: soak
soak: setup page build ## The viewers' test for SOAK_MINUTES (10)
	VDI_VIEWERS_SECONDS=$$(( $(SOAK_MINUTES) * 60 )) $(NODE_TEST) tests/desktop_to_browser/viewers.test.ts

.PHONY: fuzz
fuzz: setup page ## Inputs that break a reader of bytes from outside, FUZZ_SECONDS (60) for each; FUZZ=name for one, FUZZ_KEEP=1 to keep what reaches new code
	scripts/fuzz.sh

# The parts of the above, in the order in which `make test` runs them.

.PHONY: setup setup-run page build test-rust test-web test-plugin test-browser
setup-run:
	scripts/setup.sh run
setup:
	scripts/setup.sh test
# A page that is built again is embedded again, which costs minutes in release: only when something of it has changed.
page: web/dist/index.html
web/dist/index.html: package-lock.json $(shell find web \( -name node_modules -o -name dist \) -prune -o -type f -print)
	npm run --silent build --workspace web
# With what the tests need, so that their dependencies are not built a second time with other features.
build:
	cargo build --workspace --lib --bins --tests
test-rust: build
	cargo test --workspace
test-web:
	npm run --silent test --workspace web
test-plugin:
	scripts/test-install.sh
test-browser:
	$(NODE_TEST) tests/bench/*.test.ts tests/bench/*/*.test.ts tests/desktop_to_browser/*.test.ts
