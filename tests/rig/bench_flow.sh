#!/usr/bin/env bash
# Speed and numbers of optical flow against OpenCV 5, as markdown on stdout, with the ratio that each row is to reach.
#
# Settings: BENCH_ROUNDS (7), BENCH_ONLY (speed: only times), FLOW_BENCH (the example flow_bench, built for release).
# The programs take turns, so that a change of the machine's load meets both. One thread is compared by CPU time; two
# threads need two idle processors.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$repo/target/rig/bench-flow
footage=$repo/target/rig/footage-src
export FLOW_BENCH=${FLOW_BENCH:-$repo/target/release/examples/flow_bench}
[ -x "$FLOW_BENCH" ] || { echo "no $FLOW_BENCH: run 'make bench-flow'" >&2; exit 2; }
[ -f "$repo/target/rig/opencv/complete" ] || { echo "no OpenCV: run 'bash tests/rig/setup.sh test' first" >&2; exit 3; }
mkdir -p "$work"

# NAME START SIZE: five frames of luma.
frames() {
    [ ! -f "$work/$1-$3.luma" ] || return 0
    ffmpeg -nostdin -v error -y -ss "$2" -i "$footage/$1.mp4" -vf "scale=${3/x/:}:flags=bilinear,format=gray" \
        -frames:v 5 -f rawvideo "$work/.$1-$3.luma"
    mv "$work/.$1-$3.luma" "$work/$1-$3.luma"
}
for size in 320x240 640x360 1280x720; do
    frames bigbuckbunny 1 "$size"
    frames bikes 2 "$size"
done

"$repo/target/rig/opencv/bin/python" "$here/bench_flow.py" "$work"
