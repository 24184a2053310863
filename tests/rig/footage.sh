#!/usr/bin/env bash
# Fills a folder with 27 different real clips of 0.1 to 1.1 MB: three files and cuts of them, packets copied as they are.
# The same bytes each time (with one version of ffmpeg).
#
#   footage.sh DIR
set -euo pipefail

dir=${1:?"usage: footage.sh DIR"}
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target/rig/footage-src
[ -f "$source/bikes.mp4" ] || { echo "no footage: run 'bash tests/rig/setup.sh demo' first" >&2; exit 3; }
[ ! -f "$dir/.complete" ] || exit 0
mkdir -p "$dir"

cut_clip() { # NAME START SECONDS
    ffmpeg -nostdin -v error -y -ss "$2" -i "$source/$1.mp4" -t "$3" -map 0 -c copy -map_metadata -1 \
        -fflags +bitexact -flags +bitexact "$dir/$1_$2_$3.mp4"
}

cp "$source"/*.mp4 "$dir"
# Starts are keyframes; a copy can end anywhere.
for seconds in 1.5 2 2.5 3 3.5 4 4.5 5; do cut_clip bigbuckbunny 0 "$seconds"; done
for seconds in 1 1.4 1.8 2.2 2.6 3 3.4 3.8; do cut_clip carphone_pristine 0 "$seconds"; done
for seconds in 3 5 7 9; do cut_clip bikes 0 "$seconds"; done
for start in 1.2 3.04; do
    for seconds in 4 6; do cut_clip bikes "$start" "$seconds"; done
done
touch "$dir/.complete"
