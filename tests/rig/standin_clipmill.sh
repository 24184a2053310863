#!/usr/bin/env bash
# A stand-in for clipmill: keeps to its command line and exit codes and does no work, so that the job templates can be
# tested by themselves. What it does is told by FAKE_PLAN, one word per start and rank (missing: the last word is reused):
#
#   FAKE_PLAN="work:0 work:0"    words, separated by blanks, for the starts of a rank, in order
#   work:CODE     commits a shard, waits for a signal up to FAKE_SECONDS (60), then ends: 75 on USR1 or TERM, else CODE
#   quick:CODE    commits a shard and ends with CODE at once
#   rewrite:CODE  commits always the same shard, as a retry does, and ends with CODE at once
#   idle:CODE     ends with CODE and commits nothing
#   die:SIGNAL    commits a shard and is killed by SIGNAL
#
# FAKE_PLAN_<rank> replaces FAKE_PLAN for one rank. All that it saw is told in FAKE_OUT/events.
set -euo pipefail

rank=${SLURM_PROCID:-0}
note() { printf '%s rank=%s task=%s %s\n' "$(date +%s)" "$rank" "${SLURM_ARRAY_TASK_ID:-}" "$*" >>"$FAKE_OUT/events"; }

case ${1:-} in
config)
    [ "$2" = show ]
    printf 'job:\n  url_list: x\n  output_folder: "%s"\n' "$FAKE_OUT"
    exit
    ;;
run) ;;
*) exit 2 ;;
esac

mkdir -p "$FAKE_OUT/_clipmill"
mine=$FAKE_OUT/_clipmill/starts-${SLURM_ARRAY_TASK_ID:-x}-$rank
echo start >>"$mine"
start=$(wc -l <"$mine")
plan_name=FAKE_PLAN_$rank
read -ra plan <<<"${!plan_name:-$FAKE_PLAN}"
word=${plan[start - 1]:-${plan[-1]}}
note "start=$start word=$word restart=${SLURM_RESTART_COUNT:-0} ntasks=${SLURM_STEP_NUM_TASKS:-} end=${CLIPMILL_END_TIME:-none} fence=${SLURM_PMIX_FENCE:-} site=${FAKE_SITE:-} cpus=${SLURM_CPUS_PER_TASK:-} gpus=${CUDA_VISIBLE_DEVICES:-none} node=$(hostname) args=${*:2}"

signalled=
trap 'signalled=USR1; note "signal USR1"' USR1
trap 'signalled=TERM; note "signal TERM"' TERM

case ${word%%:*} in
idle) ;;
rewrite) : >"$FAKE_OUT/00000_stats.json" ;;
*) : >"$FAKE_OUT/$(printf '%05d' $((RANDOM + start * 32768)))_stats.json" ;;
esac
value=${word#*:}
case ${word%%:*} in
work)
    for ((tenth = 0; tenth < ${FAKE_SECONDS:-60} * 10; tenth++)); do
        [ -z "$signalled" ] || break
        # Slurm signals all processes of a rank, children too.
        sleep 0.1 || true
    done
    if [ -n "$signalled" ]; then
        # A drain takes a while; a second signal would cut it short.
        sleep 1 || true
        value=75
    fi
    ;;
die) kill -s "$value" $$ ;;
esac
note "end=$value"
exit "$value"
