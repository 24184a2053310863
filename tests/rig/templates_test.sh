#!/usr/bin/env bash
# The job templates on a real, throw-away Slurm cluster, with a stand-in for clipmill.
#
#   templates_test.sh [CASE…]     default: all; prints 'N passed, N failed' at the end, exit 1 when one failed
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/clipmill-templates-XXXXXX")
export CLIPMILL_SLURM_BASE=$work/slurm

cleanup() {
    local code=$?
    trap - EXIT
    bash "$here/slurm_cluster.sh" stop || true
    if [ "$code" = 0 ]; then rm -rf "$work"; else echo "kept for a look: $work" >&2; fi
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

CLIPMILL_SLURM_OWNER=$$ bash "$here/slurm_cluster.sh" start
eval "$(bash "$here/slurm_cluster.sh" env)"
# The templates have to see to it themselves.
unset SLURM_PMIX_FENCE
install -m 755 "$here/standin_clipmill.sh" "$work/clipmill"
# The templates' folder, with a blank in its name, away from the checkout: it has to be found from the job's record.
mkdir -p "$work/my slurm" "$work/home"
cp "$repo"/slurm/* "$work/my slurm/"
export CLIPMILL=$work/clipmill HOME=$work/home
unset CLIPMILL_SITE CLIPMILL_SLURM_DIR XDG_CONFIG_HOME

# submit NAME TEMPLATE SBATCH-OPTION…: sets $id and $out (FAKE_OUT). Takes FAKE_* from the environment.
submit() {
    local name=$1 template=$2
    shift 2
    out=$work/$name
    mkdir -p "$out"
    export FAKE_OUT=$out
    id=$(cd "$work" && sbatch --parsable --output="$out/log" "$@" "my slurm/$template" config.yaml -o a=b)
}

record() { scontrol --oneliner show job "$1"; }
field() { record "$1" | tail -n 1 | sed -n "s/^.* $2=\([^ ]*\) .*\$/\1/p"; }

# wait_until SECONDS WHAT COMMAND…
wait_until() {
    local left=$(($1 * 5)) what=$2
    shift 2
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "waited in vain: $what" >&2; return 1; }
        sleep 0.2
    done
}
state_is() { [[ $(field "$1" JobState) == "$2" ]]; }
node_is_up() { [[ $(sinfo -h -n "$1" -t idle,mixed,allocated -o %N) == "$1" ]]; }
over() { [[ $(field "$1" JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
count() { grep -c -- "$1" "$2" || true; }
saw() { [ -f "$out/events" ] && [ "$(count "$1" "$out/events")" -ge "${2:-1}" ]; }

# expect WHAT ACTUAL WANTED
expect() {
    [ "$2" = "$3" ] || { echo "$1: $2, not $3" >&2; return 1; }
}

case_finishes() { # exit 0 passes; options, CONFIG, end time, CPUs and the site file reach the ranks
    mkdir -p "$HOME/.config/clipmill"
    # An unset variable and a failing command, as module files have them.
    # shellcheck disable=SC2016
    printf 'false\n: $NOT_SET_ANYWHERE\nexport FAKE_SITE=seen\n' >"$HOME/.config/clipmill/site.sh"
    FAKE_PLAN="quick:0" submit finishes download.sbatch --nodes=2
    wait_until 20 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect restarts "$(field "$id" Restarts)" 0
    expect ranks "$(count 'start=1 .*ntasks=4 .*site=seen .*args=config.yaml -o a=b' "$out/events")" 4
    expect "no end time" "$(count 'end=none' "$out/events")" 0
    expect fence "$(count 'fence=tree' "$out/events")" 4
}

case_reprocess() { # the same template for tars: one start that drains, one that ends
    FAKE_PLAN="work:0 quick:0" submit reprocess reprocess.sbatch --nodes=2
    wait_until 20 "the first start" saw 'start=1' 4
    scancel --batch --signal=USR1 "$id"
    wait_until 60 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect restarts "$(field "$id" Restarts)" 1
}

case_optical_flow() { # the same again, one rank per node
    FAKE_PLAN="quick:0" submit flow optical_flow.sbatch --nodes=2 --cpus-per-task=1
    wait_until 60 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect ranks "$(count 'start=1 .*ntasks=2 .*cpus=1 gpus=none .*args=config.yaml -o a=b' "$out/events")" 2
    expect said "$(count 'no GPUs in this job' "$out/log")" 1
}

case_flow_on_gpus() { # one rank per GPU, each with its own and its share of the CPUs, in every way to ask for them
    local asked n=0 node
    for asked in "--gpus-per-node=2" "--gres=gpu:2" "--gpus=4 --ntasks-per-node=1" "--gpus-per-node=2 --ntasks-per-node=2"; do
        n=$((n + 1))
        # shellcheck disable=SC2086
        FAKE_PLAN="quick:0" submit "gpus$n" optical_flow.sbatch --nodes=2 --cpus-per-task=3 $asked
        wait_until 60 "the end" over "$id"
        expect "state with $asked" "$(field "$id" JobState)" COMPLETED
        expect "ranks with $asked" "$(count 'start=1 .*ntasks=4' "$out/events")" 4
        local nodes
        nodes=$(sed -n 's/.* node=\([^ ]*\) .*/\1/p' "$out/events" | sort -u)
        expect "nodes with $asked" "$(wc -l <<<"$nodes")" 2
        for node in $nodes; do
            expect "GPU 0 of $node with $asked" "$(count "gpus=0 node=$node " "$out/events")" 1
            expect "GPU 1 of $node with $asked" "$(count "gpus=1 node=$node " "$out/events")" 1
        done
        local share=1
        [[ $asked != *ntasks-per-node=2* ]] || share=3
        expect "CPUs with $asked" "$(count " cpus=$share " "$out/events")" 4
    done
}

case_flow_shapes_that_cannot_be() { # uneven GPUs, and fewer CPUs than GPUs: ended with 2 and the reason
    submit uneven optical_flow.sbatch --nodes=2 --cpus-per-task=2 --gpus=3
    wait_until 60 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 2:0
    expect said "$(count 'use --gpus-per-node instead' "$out/log")" 1
    submit crowded optical_flow.sbatch --nodes=1 --cpus-per-task=1 --gpus-per-node=2
    wait_until 60 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 2:0
    expect said "$(count 'give --cpus-per-task=2' "$out/log")" 1
}

case_exit_codes() { # 1, 2 and 3 end the job, with that code
    local code
    for code in 1 2 3; do
        FAKE_PLAN="quick:$code" submit "exit_codes$code" download.sbatch
        wait_until 20 "the end" over "$id"
        expect exit "$(field "$id" ExitCode)" "$code:0"
        expect restarts "$(field "$id" Restarts)" 0
    done
}

case_drains() { # USR1 to the batch shell reaches every rank once; the job requeues itself and finishes
    FAKE_PLAN="work:0 quick:0" submit drains download.sbatch --nodes=2
    wait_until 20 "four ranks" saw start=1 4
    scancel --batch --signal=USR1 "$id"
    wait_until 60 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect restarts "$(field "$id" Restarts)" 1
    expect signals "$(count 'signal USR1' "$out/events")" 4
    expect "other signals" "$(count 'signal TERM' "$out/events")" 0
    expect "second starts" "$(count 'start=2 .*restart=1' "$out/events")" 4
    expect "log kept" "$(count 'restart 0 on' "$out/log")" 1
    expect "progress file gone" "$(find "$out/_clipmill/slurm" -type f | wc -l)" 0
}

case_time_limit() { # the same by the time limit
    FAKE_SECONDS=600 FAKE_PLAN="work:0 quick:0" submit time_limit download.sbatch --time=1 --signal=B:USR1@30
    wait_until 20 "two ranks" saw start=1 2
    wait_until 120 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect restarts "$(field "$id" Restarts)" 1
    expect signals "$(count 'signal USR1' "$out/events")" 2
}

case_time_limit_missed() { # a limit that comes as TERM only (URG does nothing)
    FAKE_SECONDS=600 FAKE_PLAN="work:0 quick:0" submit time_limit_missed download.sbatch --time=1 --signal=B:URG@1
    wait_until 20 "two ranks" saw start=1 2
    wait_until 150 "the second start" saw start=2 2
    wait_until 20 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
}

case_scancel() { # drains, each rank signalled once, and stays cancelled
    FAKE_PLAN="work:0" submit scancel download.sbatch --nodes=2
    wait_until 20 "four ranks" saw start=1 4
    scancel "$id"
    wait_until 20 "the end" over "$id"
    sleep 8
    expect state "$(field "$id" JobState)" CANCELLED
    expect restarts "$(field "$id" Restarts)" 0
    expect signals "$(count 'signal TERM' "$out/events")" 4
    expect "other signals" "$(count 'signal USR1' "$out/events")" 0
    expect drained "$(count 'end=75' "$out/events")" 4
}

case_scancel_while_draining() {
    FAKE_PLAN="work:0" submit scancel_while_draining download.sbatch
    wait_until 20 "two ranks" saw start=1 2
    scancel --batch --signal=USR1 "$id"
    wait_until 20 "the drain" saw 'signal USR1' 2
    scancel "$id"
    wait_until 20 "the end" over "$id"
    sleep 8
    expect state "$(field "$id" JobState)" CANCELLED
    expect restarts "$(field "$id" Restarts)" 0
}

case_array() { # one task drains: it alone is requeued; ids, shares and logs are per task
    FAKE_PLAN="work:0 quick:0" FAKE_SECONDS=8 submit array download_array.sbatch --array=0-1 --output="$work/array/log-%a"
    wait_until 20 "two tasks" saw start=1 2
    scancel --batch --signal=USR1 "${id}_1"
    wait_until 60 "the end of task 0" over "${id}_0"
    wait_until 60 "the end of task 1" over "${id}_1"
    expect "state 0" "$(field "${id}_0" JobState)" COMPLETED
    expect "state 1" "$(field "${id}_1" JobState)" COMPLETED
    expect "restarts 0" "$(field "${id}_0" Restarts)" 0
    expect "restarts 1" "$(field "${id}_1" Restarts)" 1
    expect "starts of 0" "$(count 'task=0 start=' "$out/events")" 1
    expect "starts of 1" "$(count 'task=1 start=' "$out/events")" 2
}

case_stalls() { # work left, but nothing comes of it: three starts, then an end
    FAKE_PLAN="idle:75" submit stalls download.sbatch
    wait_until 90 "the end" over "$id"
    sleep 8
    expect exit "$(field "$id" ExitCode)" 75:0
    expect starts "$(count 'rank=0 .*start=' "$out/events")" 3
}

case_rewrites() { # a retry commits shards that exist already: that is progress
    FAKE_PLAN="rewrite:75 rewrite:75 rewrite:0" CLIPMILL_MAX_STALLED=1 submit rewrites download.sbatch
    wait_until 60 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 0:0
    expect restarts "$(field "$id" Restarts)" 2
}

case_mixed_codes() { # 75 and 0: requeued, then done. 75 and 1: requeued, the error shows itself at the next start
    FAKE_PLAN_0="quick:75 idle:0" FAKE_PLAN_1="quick:0 idle:0" submit mixed_codes download.sbatch
    wait_until 60 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 0:0
    expect restarts "$(field "$id" Restarts)" 1
    FAKE_PLAN_0="quick:75 idle:0" FAKE_PLAN_1="quick:1 idle:1" submit mixed_codes1 download.sbatch
    wait_until 60 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 1:0
    expect restarts "$(field "$id" Restarts)" 1
}

case_rank_dies() { # the ranks are started again in the same allocation; not for ever
    FAKE_PLAN_0="die:KILL idle:0" FAKE_PLAN_1="quick:0 idle:0" submit rank_dies download.sbatch
    wait_until 30 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 0:0
    expect restarts "$(field "$id" Restarts)" 0
    expect starts "$(count 'rank=0 .*start=' "$out/events")" 2
    FAKE_PLAN="idle:137" submit rank_dies_on download.sbatch
    wait_until 30 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 137:0
    expect starts "$(count 'rank=0 .*start=' "$out/events")" 3
}

case_batch_killed() { # the batch script is killed: no rank outlives it, and the job fails
    FAKE_PLAN="work:0" submit batch_killed download.sbatch --nodes=2
    wait_until 20 "four ranks" saw start=1 4
    scancel --batch --signal=KILL "$id"
    wait_until 30 "the end" over "$id"
    expect restarts "$(field "$id" Restarts)" 0
    expect signals "$(count 'signal TERM' "$out/events")" 4
    expect drained "$(count 'end=75' "$out/events")" 4
}

case_node_lost() { # a node goes as in a power failure: Slurm requeues the job, and it finishes elsewhere
    FAKE_PLAN="work:0 quick:0" submit node_lost download.sbatch --nodelist=n4
    wait_until 20 "two ranks" saw start=1 2
    bash "$here/slurm_cluster.sh" kill-node n4
    scontrol update NodeName=n4 State=DOWN Reason=power
    scontrol update JobId="$id" ReqNodeList=
    wait_until 60 "the end" over "$id"
    expect state "$(field "$id" JobState)" COMPLETED
    expect restarts "$(field "$id" Restarts)" 1
    bash "$here/slurm_cluster.sh" start-node n4
    # Newer versions take it back by themselves and refuse this.
    scontrol update NodeName=n4 State=RESUME 2>/dev/null || true
    wait_until 20 "n4 back" node_is_up n4
}

case_wrong_mpi_type() { # srun itself fails: no requeue
    FAKE_PLAN="quick:0" CLIPMILL_SRUN_MPI=nonsense submit wrong_mpi_type download.sbatch
    wait_until 20 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 1:0
    expect restarts "$(field "$id" Restarts)" 0
}

case_no_program() {
    CLIPMILL=/nowhere/clipmill submit no_program download.sbatch
    wait_until 20 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 2:0
    expect said "$(count 'CLIPMILL names /nowhere/clipmill' "$out/log")" 1
    CLIPMILL_SITE=/nowhere/site.sh submit no_program_site download.sbatch
    wait_until 20 "the end" over "$id"
    expect exit "$(field "$id" ExitCode)" 2:0
}

case_debug() { # no terminal here: plain srun
    mkdir -p "$work/debug"
    expect code "$(FAKE_OUT=$work/debug FAKE_PLAN="quick:3" bash "$repo/slurm/debug.sh" --time=1 -- config.yaml -o 'a=b c' >&2; echo $?)" 3
    expect arguments "$(count 'args=config.yaml -o a=b c$' "$work/debug/events")" 1
}

mapfile -t cases < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else declare -F | sed -n 's/^declare -f case_//p'; fi)
passed=0 failed=0
declare -A job
begin() {
    declare -F "case_$1" >/dev/null || { echo "no case $1" >&2; exit 2; }
    # Not under `if` or `||`, which would switch -e off inside.
    ( trap - EXIT INT TERM; set -e; "case_$1" ) >"$work/$1.said" 2>&1 &
    job[$1]=$!
}
end() {
    if wait "${job[$1]}"; then
        echo "ok   $1"
        passed=$((passed + 1))
    else
        echo "FAIL $1"
        cat "$work/$1.said" "$work/$1"*/{log,events} 2>/dev/null | sed 's/^/     /' || true
        failed=$((failed + 1))
    fi
}
# Most of a case is waiting, so they run side by side; the cluster has room for all of them. A lost node is nothing for
# the others: that one comes last.
for name in "${cases[@]}"; do [ "$name" = node_lost ] || begin "$name"; done
for name in "${cases[@]}"; do [ "$name" = node_lost ] || end "$name"; done
for name in "${cases[@]}"; do [ "$name" != node_lost ] || { begin "$name" && end "$name"; }; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
