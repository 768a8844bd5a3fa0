# The commands of the project; each installs what it needs and works on a fresh machine with Rust >= 1.94.
#   make demo     build, start a node, load documents, run queries, leave it running
#   make test     everything that must pass
#   make check    fmt, clippy, rustdoc (what .ci/run does beside `make test`)
#   make seeds    a long slice of the simulator: 2,000 seeds and 20,000 Twins scenarios of consensus
#   make soak     more of them, from FIRST=seed (to before LAST=seed), for MINUTES=n at most; CONSENSUS_FAMILY=name for one family
#   make mutations  every planted bug of consensus, and how long the simulator takes to notice
#   make model    the model of consensus' one-sync rule, in all its states
#   make fuzz     arbitrary bytes into consensus, for SECONDS_TO_FUZZ=n (nightly Rust)
#   make loopback four consensus processes on TCP with fsync
#   make bench    criterion benches of the layers
#   make crash    kill -9 under load, fifty times
#   make slt      all of the sample of SQLite's logic tests (a slice of them is part of `make test`)
#   make drivers  the programs in tests/drivers against a node (part of `make test`)

SHELL := /bin/bash
export BUILD_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/aerolithdb
export CARGO_TARGET_DIR ?= $(BUILD_CACHE)/target
export ROCKSDB_STATIC := 1
# Built once by `make rocksdb`; every cargo call links it from there.
export ROCKSDB_LIB_DIR := $(BUILD_CACHE)/rocksdb-0.19.0+11.8.1-$(shell uname -m)
BIN := $(CARGO_TARGET_DIR)/debug/aerolithdb

.PHONY: demo test build setup rocksdb check fmt clippy doc bench crash drivers slt seeds soak mutations model fuzz loopback

setup:
	@tools/setup.sh

rocksdb: setup
	@tools/rocksdb-lib.sh >/dev/null

# With the tests' features, so that dependencies are built once for both.
build: rocksdb
	cargo build --locked --bin aerolithdb --test it

demo: build
	@tools/demo.sh $(BIN)

test: rocksdb
	cargo test --locked
	@tools/setup.sh drivers
	@tests/drivers/run.sh $(BIN)
	@tests/slt/run.sh $(BIN)
	@tests/crash/run.sh $(BIN) 5

# Consensus alone, optimised: the simulator runs a hundred times faster than time. Dependencies are those of `make test`.
SIMULATE := CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test --locked --no-default-features --lib
MINUTES ?= 10
FIRST ?= 1000000
LAST ?=
SECONDS_PER_BUG ?= 600

seeds: setup
	CONSENSUS_SLICE=all $(SIMULATE) consensus::simulator

soak: setup
	CONSENSUS_SEEDS=$(FIRST)..$(LAST) CONSENSUS_MINUTES=$(MINUTES) $(SIMULATE) consensus::simulator::campaign -- --nocapture

mutations: setup
	CONSENSUS_MUTATIONS=$(SECONDS_PER_BUG) $(SIMULATE) planted_bugs_are_found -- --nocapture

model:
	CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/model cargo run --locked --release --manifest-path models/one-sync/Cargo.toml 2

SECONDS_TO_FUZZ ?= 60
fuzz:
	command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz
	CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/fuzz cargo +nightly fuzz run consensus_message -- -max_total_time=$(SECONDS_TO_FUZZ)

# Our own code built as for `make bench`.
MEASURED := CARGO_PROFILE_DEV_OPT_LEVEL=3 CARGO_PROFILE_DEV_DEBUG_ASSERTIONS=false CARGO_PROFILE_DEV_OVERFLOW_CHECKS=false

loopback: setup
	$(MEASURED) cargo build --locked --no-default-features --example consensus_loopback
	for window in 1 8; do for bytes in 200 20000 100000; do \
	  (cd $${TMPDIR:-/tmp} && $(CARGO_TARGET_DIR)/debug/examples/consensus_loopback run 39200 fsync $$bytes $$window 5); \
	done; done

check: fmt clippy doc

fmt:
	cargo fmt --check

clippy: rocksdb
	cargo clippy --locked --all-targets -- -D warnings

# For who works on the crate: private items are documented too, so links to them lead somewhere.
doc: rocksdb
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --no-deps --lib --document-private-items

bench: rocksdb
	$(MEASURED) cargo bench --locked --profile dev $(BENCH)

crash: build
	@tests/crash/run.sh $(BIN) 50

slt: build
	@tests/slt/run.sh $(BIN) all

drivers: build
	@tools/setup.sh drivers
	@tests/drivers/run.sh $(BIN)
