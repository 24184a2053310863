#!/usr/bin/env bash
# One rank on one node, in this terminal:
#
#   slurm/debug.sh [SRUN OPTIONS --] CONFIG [-o key=value …]
#   slurm/debug.sh --partition=debug --time=10 -- configs/download.yaml -o url_list=few.csv -o output_folder=try
#
# Inside an allocation (salloc) it takes its place there. Ctrl-C drains, a second one stops at once.
set -euo pipefail

die() {
    printf 'debug.sh: %s\n' "$*" >&2
    exit 2
}

options=()
for word in "$@"; do
    [ "$word" = -- ] || continue
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    break
done
[ $# -gt 0 ] || die "usage: slurm/debug.sh [SRUN OPTIONS --] CONFIG [-o key=value …]"
command -v srun >/dev/null || die "no srun on this machine: run clipmill itself: clipmill run $*"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for site in "${CLIPMILL_SITE:-}" "${XDG_CONFIG_HOME:-${HOME:-}/.config}/clipmill/site.sh" "$here/site.sh"; do
    [ -n "$site" ] || continue
    if [ -f "$site" ]; then
        set +eu
        # shellcheck source=/dev/null
        source "$site"
        set -eu
        break
    fi
    [ "$site" != "${CLIPMILL_SITE:-}" ] || die "CLIPMILL_SITE names $site, which is not a file"
done

program=${CLIPMILL:-$(command -v clipmill || true)}
[ -n "$program" ] || program=$here/../target/release/clipmill
[ -x "$program" ] || die "no clipmill program found: put it on PATH, set CLIPMILL, or run 'make build'"

# A terminal of its own gives progress bars and Ctrl-C; without one (a pipe, a test) srun refuses --pty.
[ ! -t 0 ] || options=(--pty "${options[@]}")
exec srun --job-name=clipmill-debug --nodes=1 --ntasks=1 --cpus-per-task=4 --time=30 --mpi="${CLIPMILL_SRUN_MPI:-none}" \
    "${options[@]}" "$program" run "$@"
