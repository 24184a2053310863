# shellcheck shell=bash
# What the job templates share; each sources this file and calls `clipmill_job "$@"`.
#
# Settings, all optional, from the environment of sbatch or from a site file:
#   CLIPMILL               the program (default: PATH, then target/release/ of the submit folder or of this checkout)
#   CLIPMILL_SITE          the site file. Default: the first of ~/.config/clipmill/site.sh and slurm/site.sh. It is sourced
#                          before anything else runs: the place for `module load …` and for the settings named here
#   CLIPMILL_SRUN_MPI      srun's --mpi type (default: the cluster's)
#   CLIPMILL_MAX_STALLED   starts in a row without any progress before the job stops requeueing itself (3)
#   CLIPMILL_MAX_RESTARTS  restarts in all before it does (1000)
#
# What becomes of the job. srun returns the highest exit code among its ranks, so one code stands for all of them:
#   0, 3    the plan is complete (3: too many samples failed). The job ends with that code.
#   2       usage or config. No other start would do better: the job ends with 2.
#   1       an error of a rank or of srun itself (a wrong --mpi type, a step that could not be made). The job ends with 1.
#   75      work is left. The job requeues itself. Some ranks may have ended with 0, 1, 2 or 3 meanwhile: 0 and 3 are found
#           again by the next start; a lasting 1 or 2 stops the requeueing after CLIPMILL_MAX_STALLED starts.
#   > 128   a rank died of a signal (128 + number). While draining: as 75. Else the other ranks have taken its shards over,
#           but maybe not all: the ranks are started again inside this allocation, unless that brought nothing the last time.
# What is not ours to mend: when the batch script itself is killed, Slurm ends the ranks and the job fails: submit it again,
# nothing is lost. When a node is lost or the job is preempted, Slurm requeues it (--requeue).
# `scancel JOB` ends the job for good: its state is looked at before it is requeued. To drain it on purpose:
# `scancel --batch --signal=USR1 JOB` (requeues itself).
#
# slurmctld is asked twice per start at the most (once at the start, once before a requeue), and never in a loop.

say() { printf '%s clipmill job %s: %s\n' "$(date +%FT%T)" "$JOB" "$*" >&2; }

give_up() {
    say "$2"
    exit "$1"
}

# The id that scontrol takes for this job alone: a job array's own id would name all of its tasks.
if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
    JOB=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
else
    JOB=${SLURM_JOB_ID:?"this file is for batch jobs: submit slurm/*.sbatch with sbatch"}
fi

load_site() {
    local file
    if [ -n "${CLIPMILL_SITE:-}" ]; then
        [ -f "$CLIPMILL_SITE" ] || give_up 2 "CLIPMILL_SITE names $CLIPMILL_SITE, which is not a file"
    else
        for file in "${XDG_CONFIG_HOME:-${HOME:-}/.config}/clipmill/site.sh" "$CLIPMILL_SLURM_DIR/site.sh"; do
            [ ! -f "$file" ] || { CLIPMILL_SITE=$file && break; }
        done
    fi
    [ -n "${CLIPMILL_SITE:-}" ] || return 0
    say "site file $CLIPMILL_SITE"
    # `module` and what it sources were not written for strict shells.
    set +eu
    # shellcheck source=/dev/null
    source "$CLIPMILL_SITE"
    set -eu
}

find_program() {
    local file
    for file in "${CLIPMILL:-}" "$(command -v clipmill || true)" "${SLURM_SUBMIT_DIR:-.}/target/release/clipmill" \
        "$(dirname "$CLIPMILL_SLURM_DIR")/target/release/clipmill"; do
        [ -n "$file" ] || continue
        if [ -f "$file" ] && [ -x "$file" ]; then
            PROGRAM=$file
            return
        fi
        [ "$file" != "${CLIPMILL:-}" ] || give_up 2 "CLIPMILL names $file, which is not a program"
    done
    give_up 2 "no clipmill program found: put it on PATH, set CLIPMILL, or run 'make build' in $SLURM_SUBMIT_DIR"
}

# Unix seconds at which Slurm ends the job; not set where it has no limit or does not say.
find_end_time() {
    local end=${SLURM_JOB_END_TIME:-}
    if [ -z "$end" ] && [ -n "${CLIPMILL_JOB_RECORD:-}" ]; then
        end=$(sed -n 's/^.* EndTime=\([0-9T:-]*\) .*$/\1/p' <<<"$CLIPMILL_JOB_RECORD")
        [ -z "$end" ] || end=$(date -d "$end" +%s 2>/dev/null || true)
    fi
    [ -z "$end" ] || export CLIPMILL_END_TIME=$end
}

# Slurm sends the batch shell, and nobody else, USR1 ahead of the time limit: pass it on, and srun gives it to every rank.
on_usr1() {
    INTERRUPTED=1
    say "USR1: draining"
    DRAINING=1
    [ -z "$STEP" ] || kill -s USR1 "$STEP" 2>/dev/null || true
}

# TERM (scancel, the time limit, the grace time of a preemption) comes to the ranks from Slurm itself. Passing it on would
# make it their second signal, which means: stop at once.
on_term() {
    INTERRUPTED=1
    say "TERM: waiting for the ranks to drain"
    DRAINING=1
}

# One rank for each GPU of the job, each with one GPU and its share of the CPUs, whatever option of sbatch asked for them
# (--gpus-per-node, --gres=gpu:…, --gpus). Without GPUs the job's own shape stays.
one_rank_per_gpu() {
    local gpus=${SLURM_GPUS_ON_NODE:-0} cpus=${SLURM_CPUS_ON_NODE:-0} nodes=${SLURM_JOB_NUM_NODES:-1}
    [[ $gpus =~ ^[0-9]+$ ]] || give_up 2 "Slurm says SLURM_GPUS_ON_NODE=$gpus: not a number of GPUs"
    if [ "$gpus" = 0 ]; then
        say "no GPUs in this job: ranks as Slurm laid them out, on CPUs"
        return
    fi
    # "4" or "a100:4"; only --gpus sets it.
    local all=${SLURM_GPUS:-}
    [ -z "$all" ] || [ "${all##*:}" = $((gpus * nodes)) ] ||
        give_up 2 "the job's ${all##*:} GPUs are not spread evenly over its $nodes nodes: use --gpus-per-node instead of --gpus"
    [ "$cpus" -ge "$gpus" ] ||
        give_up 2 "$gpus GPUs but $cpus CPUs on each node: give --cpus-per-task=$gpus or more, for each rank needs one"
    RANK_CPUS=$((cpus / gpus))
    SHAPE=("--ntasks=$((gpus * nodes))" "--ntasks-per-node=$gpus" --gpus-per-task=1)
    say "one rank per GPU: $gpus on each of $nodes nodes, with $RANK_CPUS CPUs each"
}

# Runs the ranks, sets CODE.
run_ranks() {
    CODE=75
    [ "$DRAINING" = 0 ] || return 0
    # With Slurm's default fence, a rank of Open MPI 4.1 now and then crashes in MPI_Init on nodes with many ranks.
    export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-tree}
    # Stated, since sites differ in their defaults or srun does not take them over from the job: the CPUs of a task, the
    # environment, and that a rank which ends, well or badly, does not end the others.
    srun --export=ALL --cpus-per-task="${RANK_CPUS:-${SLURM_CPUS_PER_TASK:-1}}" --kill-on-bad-exit=0 --wait=0 \
        ${SHAPE[@]+"${SHAPE[@]}"} ${CLIPMILL_SRUN_MPI:+"--mpi=$CLIPMILL_SRUN_MPI"} "$PROGRAM" run "$@" &
    STEP=$!
    # The signal may have come while srun was being started, when there was nobody to pass it on to.
    [ "$DRAINING" = 0 ] || kill -s USR1 "$STEP" 2>/dev/null || true
    # A trap ends `wait` early, with a code of its own: then wait once more for the real one.
    while :; do
        INTERRUPTED=0
        CODE=0
        wait "$STEP" || CODE=$?
        [ "$INTERRUPTED" = 1 ] || break
    done
    STEP=
}

# Prints "SHARDS BYTES": what is committed and what lies in unfinished shards. Nothing where the output is not known.
measure() {
    [ -n "$OUTPUT" ] && [ -d "$OUTPUT" ] || return 0
    local shards bytes=0
    shards=$(find "$OUTPUT" -maxdepth 1 -name '*_stats.json' | wc -l)
    [ ! -d "$OUTPUT/_clipmill/partial" ] || bytes=$(du -s --apparent-size -B1 "$OUTPUT/_clipmill/partial" | cut -f1)
    echo "$shards $bytes"
}

find_output() {
    OUTPUT=$("$PROGRAM" config show "$@" 2>/dev/null | sed -n 's/^ *"\{0,1\}output_folder"\{0,1\}: *//p' | head -n 1 |
        sed "s/,\$//; s/^[\"']//; s/[\"']\$//") || OUTPUT=
}

# Whether a shard was committed since this file was written. A retry rewrites shards, so their number tells nothing.
committed_since() {
    [ -f "$1" ] && [ -n "$(find "$OUTPUT" -maxdepth 1 -name '*_stats.json' -newer "$1" -print -quit)" ]
}

# Counts the starts in a row that brought nothing, across restarts, in a file of this job. False when there were too many.
made_progress() {
    find_output "$@"
    local now shards bytes old_shards=0 old_bytes=0 stalled=0 file
    now=$(measure)
    [ -n "$now" ] && [ -d "$OUTPUT/_clipmill" ] || return 0
    read -r shards bytes <<<"$now"
    mkdir -p "$OUTPUT/_clipmill/slurm"
    file=$OUTPUT/_clipmill/slurm/$JOB
    [ ! -f "$file" ] || read -r stalled old_shards old_bytes <"$file" || true
    stalled=$((stalled + 1))
    if [ "$shards" -gt "$old_shards" ] || [ "$bytes" -gt "$old_bytes" ] || committed_since "$file"; then stalled=0; fi
    printf '%s %s %s\n' "$stalled" "$shards" "$bytes" >"$file.new" && mv "$file.new" "$file"
    say "$shards shards committed, $bytes bytes in unfinished ones, $stalled starts without progress"
    [ "$stalled" -ge "${CLIPMILL_MAX_STALLED:-3}" ] || return 0
    rm -f "$file"
    return 1
}

forget_progress() {
    find_output "$@"
    [ -z "$OUTPUT" ] || rm -f "$OUTPUT/_clipmill/slurm/$JOB"
}

# Whether the job is still wanted: not one that somebody cancelled. Slurm shows a job that is being ended as COMPLETING,
# whatever the reason; past its end time that reason is the limit.
still_wanted() {
    local record state
    record=$(scontrol --oneliner show job "$JOB") || give_up 75 "slurmctld does not answer: submit the job again for the rest"
    state=$(sed -n 's/^.* JobState=\([A-Z_]*\) .*$/\1/p' <<<"$record")
    case $state in
    RUNNING | SUSPENDED | TIMEOUT | PREEMPTED | NODE_FAIL) return 0 ;;
    COMPLETING) [ "$(date +%s)" -ge "${CLIPMILL_END_TIME:-9999999999}" ] ;;
    *) return 1 ;;
    esac
}

requeue() {
    made_progress "$@" ||
        give_up 75 "no progress in ${CLIPMILL_MAX_STALLED:-3} starts: not requeued. See the messages above, then submit it again"
    [ "${SLURM_RESTART_COUNT:-0}" -lt "${CLIPMILL_MAX_RESTARTS:-1000}" ] ||
        give_up 75 "restarted ${SLURM_RESTART_COUNT:-0} times: not requeued. Submit it again for the rest"
    still_wanted || give_up 75 "cancelled: not requeued. Submit it again for the rest"
    say "work is left: requeueing"
    scontrol requeue "$JOB" || give_up 75 "could not requeue: submit it again for the rest"
    exit 75
}

clipmill_job() {
    local limit='no time limit'
    DRAINING=0 STEP='' OUTPUT=''
    trap on_usr1 USR1
    trap on_term TERM
    load_site
    find_program
    find_end_time
    [ -z "${CLIPMILL_END_TIME:-}" ] || limit="until $(date -d "@$CLIPMILL_END_TIME" +%FT%T)"
    say "restart ${SLURM_RESTART_COUNT:-0} on ${SLURM_JOB_NODELIST:-?}, $PROGRAM, $limit"
    while :; do
        run_ranks "$@"
        case $CODE in
        75) requeue "$@" ;;
        0 | 3)
            forget_progress "$@"
            exit "$CODE"
            ;;
        esac
        [ "$CODE" -gt 128 ] || exit "$CODE"
        [ "$DRAINING" = 0 ] || requeue "$@"
        made_progress "$@" || give_up "$CODE" "a rank died ($CODE), again without any progress"
        say "a rank died ($CODE): starting the ranks again"
    done
}
