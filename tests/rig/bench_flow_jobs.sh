#!/usr/bin/env bash
# Speed of whole flow jobs, as markdown on stdout, with the ratio that each row is to reach.
#
# Settings: BENCH_ROUNDS (5), CLIPMILL (the program, built for release). video2dataset is measured where
# BENCH_V2D=1 make bench-mill has installed it.
# The programs take turns, so that a change of the machine's load meets all of them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$repo/target/rig/bench-flow
export CLIPMILL=${CLIPMILL:-$repo/target/release/clipmill}
[ -x "$CLIPMILL" ] || { echo "no $CLIPMILL: run 'make build'" >&2; exit 2; }
export CLIPMILL_WORKER=${CLIPMILL_WORKER:-$(dirname "$CLIPMILL")/clipmill-worker}
[ -f "$repo/target/rig/opencv/complete" ] || { echo "no OpenCV: run 'bash tests/rig/setup.sh test' first" >&2; exit 3; }
mkdir -p "$work"
# shellcheck source=tests/rig/bench_corpus.sh
source "$here/bench_corpus.sh"
make_corpus "$repo" "$repo/target/rig/bench-mill/corpus"
python3 "$here/bench_flow_jobs.py" "$repo" "$work" "$repo/target/rig/bench-mill/corpus"
