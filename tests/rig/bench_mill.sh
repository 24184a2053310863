#!/usr/bin/env bash
# Speed of the mill against plain tools, as a markdown table on stdout, with the ratio that each row is to reach.
#
#   bench_mill.sh              clipmill against ffmpeg, ffprobe and PySceneDetect 0.6.2
#   BENCH_V2D=1 …              also against video2dataset 1.3.0, installed into target/rig/v2d (minutes, 5.7 GB); once it
#                              is there it is always measured
#
# Settings: BENCH_ROUNDS (5), BENCH_ROWS ("cuts scenedetect encode full probe workers boundary copy exact"), CLIPMILL, BOUNDARY (the example).
# The programs take turns (A B A B), so that a change of the machine's load meets all of them.
# Run it on a machine that does nothing else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$repo/target/rig/bench-mill
export CLIPMILL=${CLIPMILL:-$repo/target/release/clipmill}
[ -x "$CLIPMILL" ] || { echo "no $CLIPMILL: run 'make build'" >&2; exit 2; }
export BOUNDARY=${BOUNDARY:-$repo/target/release/examples/boundary}
export CLIPMILL_WORKER=${CLIPMILL_WORKER:-$(dirname "$CLIPMILL")/clipmill-worker}
[ -x "$BOUNDARY" ] || { echo "no $BOUNDARY: run 'cargo build --release --example boundary'" >&2; exit 2; }
mkdir -p "$work"

# shellcheck source=tests/rig/bench_corpus.sh
source "$here/bench_corpus.sh"
make_corpus "$repo" "$work/corpus"

scenes=$repo/target/rig/scenedetect
if [ ! -f "$scenes/complete" ]; then
    echo "installing PySceneDetect 0.6.2" >&2
    python3 -m venv "$scenes"
    "$scenes/bin/pip" install --quiet --disable-pip-version-check scenedetect==0.6.2 opencv-python-headless==4.9.0.80 numpy==1.26.4
    touch "$scenes/complete"
fi
v2d=$repo/target/rig/v2d
if [ -n "${BENCH_V2D:-}" ] && [ ! -f "$v2d/complete" ]; then
    echo "installing video2dataset 1.3.0 (minutes, 5.7 GB)" >&2
    python3 -m venv "$v2d"
    "$v2d/bin/pip" install --quiet --disable-pip-version-check video2dataset==1.3.0 numpy==1.26.4 webdataset==0.2.86 pyarrow==15.0.0 pandas==2.2.0
    touch "$v2d/complete"
fi

python3 "$here/bench_mill.py" "$repo" "$work"
