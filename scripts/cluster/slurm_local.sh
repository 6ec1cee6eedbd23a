#!/usr/bin/env bash
# A real Slurm with two virtual nodes on this machine's loopback, to try `zsad run --cluster` and to test it.
#
#   sudo apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
#   sudo scripts/cluster/slurm_local.sh up [DIR]       # default DIR: /tmp/zsad-slurm
#   export SLURM_CONF=/tmp/zsad-slurm/slurm.conf
#   zsad run experiments/quickstart.yaml --cluster experiments/clusters/local.yaml --wait
#   sudo scripts/cluster/slurm_local.sh down [DIR]
#
# For tests also: `kill-node N [DIR]` ends the daemon of node N with all its steps and jobs as a power cut would (SIGKILL),
# `start-node N [DIR]` brings it back; `kill-controller`, `start-controller` do the same with the controller.
#
# Nodes n1 and n2 have two processors each, on paper. A node that is silent for 10 s counts as lost; a requeued job starts again
# after 10 s and more. Jobs run as root, memory limits are scheduled by and not enforced: this is a Slurm for tests.
set -euo pipefail

command="${1:-}"
usage() { sed -n '2,/^set -e/p' "$0" | sed -e '$d' -e 's/^# \{0,1\}//'; exit 2; }
case "$command" in
    up | down | kill-controller | start-controller) state="${2:-/tmp/zsad-slurm}" ;;
    kill-node | start-node) node="${2:?which node: 1 or 2}" && state="${3:-/tmp/zsad-slurm}" ;;
    *) usage ;;
esac
[ "$(id -u)" = 0 ] || { echo "Slurm's daemons want root: sudo $0 $*" >&2; exit 1; }
state="$(realpath -m "$state")"
export SLURM_CONF="$state/slurm.conf"
host="$(hostname -s)"
# Three ports in a row, for clusters in several folders: `ZSAD_SLURM_PORT=17000 … up`.
port="${ZSAD_SLURM_PORT:-16817}"

# A dead process may still stand in the table, and its number may be another program's by now.
alive() { grep -qs '^State:.[^ZX]' "/proc/$1/status" && grep -qsxE 'slurmctld|slurmd|munged' "/proc/$1/comm"; }

# Ends the process whose number stands in a file: politely, and after five seconds not.
end() {
    local pid i
    pid="$(cat "$1" 2>/dev/null)" || return 0
    alive "$pid" || return 0
    kill "$pid" 2>/dev/null || return 0
    for i in $(seq 50); do alive "$pid" || return 0; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
}

# A process and all below it.
family() {
    echo "$1"
    local child
    for child in $(ps -o pid= --ppid "$1"); do family "$child"; done
}

# The daemon of a node, its steps and their jobs. Daemon and steps have the node's log open; jobs carry its name.
of_node() {
    local pid log="$state/log/slurmd.n$1"
    for pid in $(pgrep -x 'slurm(step)?d'); do
        readlink "/proc/$pid/fd/"* 2>/dev/null | grep -qxF "$log" && family "$pid"
    done
    for pid in $(grep -lsxzF "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ | cut -d/ -f3); do
        grep -qsxzF "SLURMD_NODENAME=n$1" "/proc/$pid/environ" && family "$pid"
    done
    return 0
}

kill_node() {
    local pid
    for pid in $(of_node "$1"); do kill -9 "$pid" 2>/dev/null || true; done
}

configure() {
    mkdir -p "$state/ctld" "$state/log" "$state/spool.n1" "$state/spool.n2"
    install -d -o munge -m 755 "$state/munge"
    [ -e "$state/slurm.conf" ] && return
    cat >"$state/slurm.conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
AuthInfo=socket=$state/munge/socket,cred_expire=5
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/spool.%n
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.%n.pid
SlurmctldLogFile=$state/log/slurmctld
SlurmdLogFile=$state/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
CONF
}

start_controller() { slurmctld; }
start_node() { slurmd -N "n$1"; }

wait_for() {
    local i
    for i in $(seq 150); do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done
    echo "waited 15 s in vain: $1" >&2
    tail -n 20 "$state"/log/* >&2
    exit 1
}

case "$command" in
    up)
        configure
        [ -e "$state/munge/socket" ] ||
            runuser -u munge -- munged -S "$state/munge/socket" --pid-file="$state/munge/munged.pid" \
                --log-file="$state/munge/log" --seed-file="$state/munge/seed"
        start_controller
        start_node 1
        start_node 2
        wait_for '[ "$(sinfo -h -N -o %T | sort -u)" = idle ]'
        echo "up: export SLURM_CONF=$SLURM_CONF"
        ;;
    down)
        timeout 5 scancel --user=root 2>/dev/null || true
        for _ in $(seq 50); do
            [ -z "$(timeout 2 squeue -h 2>/dev/null)" ] && break
            sleep 0.2
        done
        end "$state/slurmd.n1.pid"
        end "$state/slurmd.n2.pid"
        kill_node 1
        kill_node 2
        end "$state/slurmctld.pid"
        end "$state/munge/munged.pid"
        rm -rf "$state"
        ;;
    kill-node) kill_node "$node" ;;
    start-node) start_node "$node" ;;
    kill-controller) pid="$(cat "$state/slurmctld.pid")" && alive "$pid" && kill -9 "$pid" ;;
    start-controller) start_controller && wait_for 'timeout 2 squeue -h' ;;
esac
