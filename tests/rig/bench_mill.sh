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

# Scenes of real footage and one synthetic, joined at hard cuts, in four sizes; the second four are twice as grainy.
make_video() { # NAME SIZE RATE NOISE
    [ ! -f "$work/corpus/$1.mp4" ] || return 0
    local src=$repo/target/rig/footage-src same="scale=$2,setsar=1,fps=$3,format=yuv420p"
    ffmpeg -nostdin -v error -y -i "$src/bikes.mp4" -i "$src/bigbuckbunny.mp4" -i "$src/carphone_pristine.mp4" \
        -f lavfi -i "mandelbrot=s=$2:r=$3" -f lavfi -i "sine=d=19:r=44100" -filter_complex "
        [0:v]split[p][q];
        [p]trim=0:4,setpts=PTS-STARTPTS,${same}[a]; [1:v]trim=0:5,setpts=PTS-STARTPTS,${same}[b];
        [2:v]trim=0:3,setpts=PTS-STARTPTS,${same}[c]; [q]trim=5:9,setpts=PTS-STARTPTS,${same}[d];
        [3:v]trim=0:3,setpts=PTS-STARTPTS,${same}[e];
        [a][b][c][d][e]concat=n=5:v=1,noise=alls=$4:all_seed=1[v]" \
        -map '[v]' -map 4:a -c:v libx264 -preset fast -threads 1 -c:a aac -fflags +bitexact -flags +bitexact \
        "$work/corpus/.$1.mp4"
    mv "$work/corpus/.$1.mp4" "$work/corpus/$1.mp4"
}
mkdir -p "$work/corpus"
[ -f "$repo/target/rig/footage-src/bikes.mp4" ] || { echo "no footage: run 'bash tests/rig/setup.sh demo' first" >&2; exit 3; }
number=0
for noise in 2 4; do
    for picture in "480x270 25" "640x360 30" "854x480 25" "1280x720 25"; do
        # shellcheck disable=SC2086
        make_video "$number" $picture $noise
        number=$((number + 1))
    done
done

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
