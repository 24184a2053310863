#!/usr/bin/env bash
# A throw-away Slurm cluster on this machine: munged, slurmctld and four slurmd, for tests and demos.
#
#   slurm_cluster.sh start   [BASE]        start it (about 1 s); fails if BASE holds a running one
#   slurm_cluster.sh stop    [BASE]        end all jobs and daemons; returns when no process is left; safe to repeat
#   slurm_cluster.sh status  [BASE]
#   slurm_cluster.sh env     [BASE]        lines to eval: SLURM_CONF and what MPI needs where all nodes are one machine
#   slurm_cluster.sh kill-node  NODE [BASE]   SIGKILL a node with all that runs on it, as a power failure would
#   slurm_cluster.sh start-node NODE [BASE]   bring it back
#
# BASE, the cluster's own folder, is $CLIPMILL_SLURM_BASE or ${TMPDIR:-/tmp}/clipmill-slurm. Ports are chosen free, so
# clusters with different folders live side by side. Nothing is written outside BASE (a lock file in
# ${TMPDIR:-/tmp} aside), and all listen on loopback only.
# With CLIPMILL_SLURM_OWNER=PID the cluster stops by itself when that process is gone (a killed test run leaves nothing).
# Other settings: NODES (4), NODE_CPUS (8, whatever the machine has), NODE_GPUS (2, copies of /dev/null).
#
# Exit codes: 0 done; 2 usage; 3 this machine lacks something (the message says what); 1 anything else.
set -euo pipefail

say() { printf 'slurm_cluster: %s\n' "$*" >&2; }
die() { say "$1"; exit "${2:-1}"; }
usage() { sed -n '2,/^set -euo/{/^#/{s/^# \{0,1\}//;p}}' "$0" >&2; exit 2; }

NODES=${NODES:-4}
NODE_CPUS=${NODE_CPUS:-8}
NODE_GPUS=${NODE_GPUS:-2}

use_base() {
    BASE=$1
    RUN=$BASE/run
    export SLURM_CONF=$BASE/slurm.conf
}

require_parts() {
    [ "$(id -u)" = 0 ] || die "needs root (munged, slurmd and their namespaces); run it with sudo" 3
    local tool missing=()
    for tool in munged munge slurmctld slurmd scontrol sinfo squeue scancel; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]}. Run: bash tests/rig/setup.sh test" 3
    # Nodes that share a host name and /dev/shm make Open MPI's shared-memory files collide: namespaces are a must.
    unshare --mount --uts --ipc --pid --fork true 2>/dev/null ||
        die "this machine does not let root make namespaces (a container? start it with --privileged)" 3
    # sun_path is 108 bytes; munged fails with an obscure message past that.
    [ ${#RUN} -le 80 ] || die "the path of $BASE is too long for a socket: set CLIPMILL_SLURM_BASE to a shorter one" 3
}

# The first of NODES+1 free ports in a row, outside Linux' ephemeral range (32768 and up).
free_ports() {
    local busy first port tries
    busy=" $(awk '$4 == "0A" { sub(/.*:/, "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        while read -r port; do printf '%d ' "0x$port"; done) "
    for tries in $(seq 100); do
        first=$((20000 + (RANDOM * 7 + tries) % 12000))
        for port in $(seq "$first" $((first + NODES))); do
            [[ $busy != *" $port "* ]] || continue 2
        done
        echo "$first"
        return
    done
    die "no $((NODES + 1)) free ports in a row"
}

slurm_version() { slurmctld -V | sed 's/^[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1\2/'; }

write_conf() {
    local port=$1 host gres='' mpi=none i
    host=$(hostname -s)
    mkdir -p "$RUN" "$BASE/log" "$BASE/state" "$BASE/gpu"
    for i in $(seq "$NODES"); do mkdir -p "$BASE/spool/n$i"; done
    for i in $(seq 0 $((NODE_GPUS - 1))); do
        # Slurm insists on character devices.
        [ -c "$BASE/gpu/gpu$i" ] || mknod -m 666 "$BASE/gpu/gpu$i" c 1 3 || die "mknod failed: set NODE_GPUS=0"
    done
    # The nodes' names, known on the nodes only: each mounts this over its /etc/hosts.
    printf '127.0.0.1 localhost %s%s\n' "$host" "$(printf ' n%d' $(seq "$NODES"))" >"$BASE/hosts"
    printf 'AutoDetect=off\n' >"$BASE/gres.conf"
    if [ "$NODE_GPUS" -gt 0 ]; then
        gres="Gres=gpu:$NODE_GPUS"
        printf 'NodeName=n[1-%d] Name=gpu File=%s/gpu/gpu[0-%d]\n' "$NODES" "$BASE" $((NODE_GPUS - 1)) >>"$BASE/gres.conf"
    fi
    # No cgroup is used; newer versions can say so, and would ask systemd for one otherwise.
    if [ "$(slurm_version)" -ge 2311 ]; then echo CgroupPlugin=disabled; else echo CgroupPlugin=autodetect; fi >"$BASE/cgroup.conf"
    [ -z "$(find /usr/lib /usr/lib64 -maxdepth 3 -name 'mpi_pmix*.so' -print -quit 2>/dev/null)" ] || mpi=pmix
    cat >"$SLURM_CONF" <<CONF
ClusterName=clipmill
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
# A requeued job may start again after cred_expire seconds (120 by default).
AuthInfo=socket=$RUN/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$BASE/state
SlurmdSpoolDir=$BASE/spool/%n
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd-%n.pid
SlurmctldLogFile=$BASE/log/slurmctld.log
SlurmdLogFile=$BASE/log/slurmd-%n.log
# The PMIx plugin makes its folder here: with one /tmp for all nodes, all but one fail.
TmpFS=$BASE/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=$mpi
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=3600
SlurmctldTimeout=30
SlurmdTimeout=20
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
GresTypes=gpu
NodeName=n[1-$NODES] NodeHostname=n[1-$NODES] NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + NODES))] CPUs=$NODE_CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$NODE_CPUS ThreadsPerCore=1 RealMemory=4000 $gres State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP OverSubscribe=NO
CONF
}

# until_true TENTHS COMMAND…: poll COMMAND ten times a second.
until_true() {
    local left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}

ctld_up() { scontrol ping | grep -q 'is UP'; }
nodes_idle() { [ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" = "$NODES" ]; }

# A node is a PID namespace with bash for its init, which reaps orphans: when it dies, so does everything on the node.
# File descriptor 9 is start's lock, which must not outlive it.
start_node() {
    # shellcheck disable=SC2016 # $1 and $2 are the inner shell's
    setsid unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc --propagation private bash -c '
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount --bind "${2%/*}/hosts" /etc/hosts && hostname "$1" &&
            { slurmd -D -f "$2" -N "$1" & wait; }
    ' node "$1" "$SLURM_CONF" </dev/null >>"$BASE/log/$1.out" 2>&1 9>&- &
    echo $! >"$RUN/$1.pid"
}

# Our daemons, clients and what they left, whoever started them: told by name and by the SLURM_CONF in their environment.
our_processes() {
    local dir name
    for dir in /proc/[0-9]*; do
        { read -r name <"$dir/comm"; } 2>/dev/null || continue
        case $name in
        munged | slurmctld | slurmd | slurmscriptd | slurmstepd | srun | sbatch | salloc | unshare) ;;
        *) continue ;;
        esac
        # A zombie has no environment and needs no signal. No pipe into grep -q: where grep ends first, pipefail would
        # turn the match into a failure, and a daemon would live on.
        grep -zqxF "SLURM_CONF=$SLURM_CONF" "$dir/environ" 2>/dev/null && echo "${dir#/proc/}"
    done
    return 0
}
none_left() { [ -z "$(our_processes)" ]; }
# Again and again: a client may start another between our look and its end.
kill_all() {
    # shellcheck disable=SC2046 # a list of pids
    signal_all KILL $(our_processes)
    none_left
}

signal_all() { # signal_all SIGNAL PID…
    [ $# -lt 2 ] || kill -s "$1" "${@:2}" 2>/dev/null || true
}

node_init() { # pid of a node's init on this machine, from its unshare parent
    local parent
    parent=$(cat "$RUN/$1.pid" 2>/dev/null) || return 0
    cat "/proc/$parent/task/$parent/children" 2>/dev/null || true
}

kill_node() {
    local init
    init=$(node_init "$1")
    [ -n "$init" ] || die "no running node $1 in $BASE"
    # shellcheck disable=SC2086 # a list of one or more pids
    kill -9 $init
    rm -f "$RUN/$1.pid"
}

stop() {
    [ -d "$RUN" ] || return 0
    local file pids
    if [ -s "$RUN/watch.pid" ]; then
        # With its tail: the watch leads a process group of its own.
        kill -- "-$(cat "$RUN/watch.pid")" 2>/dev/null || true
    fi
    # The nodes go at once, with all jobs: nothing of this cluster is worth a graceful end.
    for file in "$RUN"/n*.pid; do
        [ -f "$file" ] || continue
        pids=$(node_init "$(basename "$file" .pid)")
        # shellcheck disable=SC2086
        signal_all KILL $pids
    done
    until_true 100 kill_all || die "these processes do not end: $(our_processes | tr '\n' ' ')"
    rm -f "$RUN"/*.pid "$RUN/munge.socket" "$RUN/munge.socket.lock" "$RUN/munge.socket.2"
}

fail_start() {
    say "start failed: $1"
    tail -n 5 "$BASE"/log/*.log "$BASE"/log/*.out >&2 2>/dev/null || true
    exit 1
}

start() {
    require_parts
    none_left || die "a cluster runs in $BASE already; end it with: bash $0 stop $BASE"
    mkdir -p "$RUN"
    # Half a cluster is worse than none.
    trap '[ "$?" = 0 ] || stop' EXIT
    trap 'exit 130' INT TERM
    # Ports are free only until someone else takes them: one start at a time.
    exec 9>"${TMPDIR:-/tmp}/clipmill-slurm-ports.lock"
    flock 9
    # State of an earlier life (jobs that wait for a restart) must not come back.
    rm -rf "$BASE/state" "$BASE/spool" "$BASE/log"
    write_conf "$(free_ports)"
    ( umask 077 && head -c 128 /dev/urandom >"$RUN/munge.key" )
    chmod 755 "$BASE" "$RUN"
    munged --force --key-file="$RUN/munge.key" --socket="$RUN/munge.socket" --pid-file="$RUN/munged.pid" \
        --log-file="$BASE/log/munged.log" --seed-file="$RUN/munge.seed" --num-threads=2 9>&-
    until_true 50 munge -S "$RUN/munge.socket" -n || fail_start "munged does not answer"
    slurmctld -f "$SLURM_CONF" 9>&-
    until_true 100 ctld_up || fail_start "slurmctld does not answer"
    local i
    for i in $(seq "$NODES"); do start_node "n$i"; done
    until_true 300 nodes_idle || fail_start "not all nodes came up: $(sinfo -h -N -o '%N=%t' | tr '\n' ' ')"
    if [ -n "${CLIPMILL_SLURM_OWNER:-}" ]; then
        # shellcheck disable=SC2016
        setsid bash -c 'tail --pid="$1" -f /dev/null; rm -f "$3/run/watch.pid"; exec bash "$2" stop "$3"' \
            watch "$CLIPMILL_SLURM_OWNER" "$(realpath "$0")" "$BASE" </dev/null >/dev/null 2>&1 9>&- &
        echo $! >"$RUN/watch.pid"
    fi
    say "$NODES nodes of $NODE_CPUS CPUs in $BASE; use it with: eval \"\$(bash $0 env $BASE)\""
}

print_env() {
    [ -f "$SLURM_CONF" ] || die "no cluster in $BASE: start it first"
    # SLURM_PMIX_FENCE: the default fence lets Open MPI ranks die in MPI_Init now and then when they crowd a machine.
    # The rest keeps MPI on loopback, from spinning on cores that others need, and from refusing to run as root.
    cat <<ENV
export SLURM_CONF=$(printf %q "$SLURM_CONF")
export SLURM_PMIX_FENCE=tree
export OMPI_MCA_btl_tcp_if_include=lo
export OMPI_MCA_oob_tcp_if_include=lo
export OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_ALLOW_RUN_AS_ROOT=1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export UCX_TLS=tcp,self
export UCX_NET_DEVICES=lo
ENV
}

PATH=$PATH:/usr/sbin:/sbin
DEFAULT=${CLIPMILL_SLURM_BASE:-${TMPDIR:-/tmp}/clipmill-slurm}
case ${1:-} in
start) use_base "${2:-$DEFAULT}" && start ;;
stop) use_base "${2:-$DEFAULT}" && stop ;;
status) use_base "${2:-$DEFAULT}" && scontrol ping && sinfo -N -l ;;
env) use_base "${2:-$DEFAULT}" && print_env ;;
kill-node) [ $# -ge 2 ] || usage; use_base "${3:-$DEFAULT}" && kill_node "$2" ;;
start-node) [ $# -ge 2 ] || usage; use_base "${3:-$DEFAULT}" && start_node "$2" ;;
*) usage ;;
esac
