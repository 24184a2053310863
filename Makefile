# `make` lists the targets. The rest of the machinery is in tests/rig.
.PHONY: help setup build ptx demo demo-slurm test lint audit bench-download bench-mill bench-flow test-gpu bench-gpu clean-rig

# Where rustup puts cargo, for shells that have not read its profile yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r n t; do printf '  make %-15s %s\n' "$$n" "$$t"; done

setup: ## install what is missing to build, demonstrate and test (apt; safe to repeat)
	@bash tests/rig/setup.sh build demo slurm test

build: ## the program: target/release/clipmill
	@bash tests/rig/setup.sh build
	cargo build --release --locked

ptx: ## the GPU kernels compiled to PTX, which is checked in (needs clang, no CUDA)
	@bash kernels/ptx.sh

demo: ## the main job on this machine, no Slurm: real clips, a real web server, shards
	@bash tests/rig/setup.sh build demo
	cargo build --release --locked
	@bash tests/rig/demo.sh

demo-slurm: ## the same through sbatch, on a throw-away Slurm cluster (root)
	@bash tests/rig/setup.sh build demo slurm
	cargo build --release --locked
	@bash tests/rig/demo.sh slurm

test: ## every test: unit, Slurm, MPI, crashes, templates, doc tests
	@bash tests/rig/test.sh

lint: ## formatting, clippy (with and without MPI), shell scripts, licences and sources of the dependencies
	@bash tests/rig/setup.sh build lint
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --no-default-features -- -D warnings
	shellcheck -x tests/rig/*.sh tests/kernels/shim/*.sh kernels/*.sh slurm/*.sh slurm/*.sbatch .ci/run
	cargo deny --log-level error check bans licenses sources

audit: ## known vulnerabilities of the dependencies (asks the RustSec database)
	@bash tests/rig/setup.sh lint
	cargo deny check advisories

bench-download: ## speed and memory of downloads against curl + tar (and video2dataset with BENCH_V2D=1)
	@bash tests/rig/setup.sh build demo test
	cargo build --release --locked
	@bash tests/rig/bench_download.sh

bench-mill: ## speed of the mill against ffmpeg and PySceneDetect (and video2dataset with BENCH_V2D=1)
	@bash tests/rig/setup.sh build demo test
	cargo build --release --locked --bins --example boundary
	@bash tests/rig/bench_mill.sh

bench-flow: ## speed and numbers of optical flow against OpenCV 5, and whole flow jobs (and video2dataset where it is installed)
	@bash tests/rig/setup.sh build demo test
	cargo build --release --locked --no-default-features --example flow_bench
	cargo build --release --locked --bins
	@bash tests/rig/bench_flow.sh
	@bash tests/rig/bench_flow_jobs.sh

test-gpu: ## what a test double stands in for elsewhere, on a real GPU (fails where there is none)
	@bash tests/rig/setup.sh build demo test
	cargo test --locked --test gpu -- --ignored on_a_gpu

bench-gpu: ## what flow costs on this machine's GPU, and jobs by the number of workers (fails where there is none)
	@bash tests/rig/setup.sh build demo test
	cargo build --release --locked --bins --example gpu_bench
	@bash tests/rig/bench_gpu.sh

clean-rig: ## remove what demos, tests and benchmarks left in target/rig and .venv
	rm -rf target/rig .venv
