#!/usr/bin/env bash
# Speed and memory of the download job, as a markdown table on stdout; the tables of doc/benchmarks.md are made by this.
#
#   bench_download.sh          clipmill against curl --parallel + tar
#   BENCH_V2D=1 …              also against video2dataset 1.3.0, installed into target/rig/v2d (minutes, 5.7 GB); once it
#                              is there it is always measured
#
# Settings: BENCH_ROUNDS (3), BENCH_JOBS ("small many large"), BENCH_ROWS (10000000; 0: no plan benchmark), CLIPMILL.
# Real files from nginx on loopback (sendfile, keepalive, no access log). The programs take turns, so that a change of the
# machine's load meets all of them. Run it on a machine that does nothing else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$repo/target/rig/bench
export CLIPMILL=${CLIPMILL:-$repo/target/release/clipmill}
[ -x "$CLIPMILL" ] || { echo "no $CLIPMILL: run 'make build'" >&2; exit 2; }
# shellcheck source=tests/rig/nginx.sh
source "$here/nginx.sh"

cleanup() {
    local code=$?
    trap - EXIT
    trap '' INT TERM
    NGINX_PID=${QUIET_PID:-} && stop_nginx
    NGINX_PID=${LOGGED_PID:-} && stop_nginx
    rm -rf "$work/out"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$work/www" "$work/logged"
bash "$here/footage.sh" "$repo/target/rig/footage"
"$repo/.venv/bin/python" "$here/bench_inputs.py" "$repo/target/rig/footage" "$work" "${BENCH_ROWS:-10000000}"

v2d=$repo/target/rig/v2d
if [ -n "${BENCH_V2D:-}" ] && [ ! -f "$v2d/complete" ]; then
    echo "installing video2dataset 1.3.0 (minutes, 5.7 GB)" >&2
    python3 -m venv "$v2d"
    "$v2d/bin/pip" install --quiet --disable-pip-version-check video2dataset==1.3.0 numpy==1.26.4 webdataset==0.2.86 pyarrow==15.0.0 pandas==2.2.0
    touch "$v2d/complete"
fi

start_nginx "$work/www" "$work"
export BENCH_URL=$NGINX_URL
QUIET_PID=$NGINX_PID
: >"$work/logged/access.log"
start_nginx "$work/www" "$work/logged" "$work/logged/access.log"
export BENCH_LOGGED_URL=$NGINX_URL
LOGGED_PID=$NGINX_PID
NGINX_PID=

"$repo/.venv/bin/python" "$here/bench_download.py" "$repo" "$work"
