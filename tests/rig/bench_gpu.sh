#!/usr/bin/env bash
# What this machine's GPU does: the constants of src/gpu/model.rs, and whole jobs by the number of workers.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$repo/target/release
"$bin/examples/gpu_bench"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for _ in $(seq 16); do
    ls "$repo"/target/rig/footage-src/*.mp4
done >"$work/table.txt"
cat >"$work/job.yaml" <<'YAML'
job: {input_format: txt, encode_formats: {optical_flow: npy}}
reading: {allow_local_paths: true}
subsampling: {OpticalFlowSubsampler: {args: {fps: 25, resize_size: 256}}}
YAML

printf '\n%10s %10s %8s %8s\n' gpu decode workers seconds
for mode in "off software" "required software" "required nvdec"; do
    read -r gpu decode <<<"$mode"
    for workers in 1 2 4 8; do
        rm -rf "$work/out"
        start=$(date +%s.%N)
        "$bin/clipmill" run "$work/job.yaml" -o url_list="$work/table.txt" -o output_folder="$work/out" \
            -o distribution.gpu="$gpu" -o reading.decode="$decode" -o distribution.processes_count="$workers" \
            2>"$work/log" || { cat "$work/log" >&2; exit 1; }
        printf '%10s %10s %8s %8.2f\n' "$gpu" "$decode" "$workers" "$(awk "BEGIN { print $(date +%s.%N) - $start }")"
    done
done
