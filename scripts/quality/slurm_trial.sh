#!/usr/bin/env bash
# A small Slurm on this machine, a sweep as an array job, a node that is killed and a task that is
# requeued in the middle of a run. All runs must be done, none twice, and equal to those of a single
# process. Needs root and the Debian packages munge, slurmctld, slurmd and slurm-client:
#   apt-get install --no-install-recommends munge slurmctld slurmd slurm-client
# Every node is a slurmd in a process space of its own: what it runs dies with it, and the other
# nodes cannot know that, as on several hosts.
set -euo pipefail
cd "$(dirname "$0")/../.."
wkvq=$PWD/build/wkvq
folder=$(mktemp -d /tmp/wkvq-slurm.XXXXXX)
export SLURM_CONF=$folder/slurm.conf OMP_NUM_THREADS=1
declare -A nodes
others=()
started=$SECONDS

finish() {
  local code=$?
  kill -9 "${nodes[@]}" "${others[@]}" 2>>"$folder/finish.log" || true
  [[ $code == 0 ]] && rm -rf "$folder" || echo "failed; logs stay in $folder"
}
trap finish EXIT

say() { echo "$((SECONDS - started)) s: $*"; }

fail() {
  echo "slurm_trial: $*" >&2
  exit 1
}

# until_true SECONDS COMMAND...: waits until it succeeds.
until_true() {
  local limit=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < limit)) || fail "waited too long for: $*"
    sleep 0.2
  done
}

start_slurm() {
  mkdir -p "$folder"/{state,munge}
  dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
  chmod 700 "$folder/munge" && chmod 400 "$folder/munge/key"
  munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" \
    >"$folder/munged.log" 2>&1 &
  others+=($!)
  cat >"$SLURM_CONF" <<END
ClusterName=trial
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldPort=16817
SlurmctldTimeout=10
SlurmdTimeout=10
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n[1-3] NodeHostname=$(hostname) NodeAddr=127.0.0.1 Port=[16821-16823] CPUs=1
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
  until_true 10 test -S "$folder/munge.socket"
  slurmctld -D -c >"$folder/slurmctld.log" 2>&1 &
  others+=($!)
  local node
  for node in n1 n2 n3; do
    mkdir -p "$folder/spool.$node"
    unshare --pid --fork --kill-child --mount-proc slurmd -D -N "$node" >"$folder/$node.log" 2>&1 &
    nodes[$node]=$!
  done
  until_true 60 bash -c '[[ $(sinfo -h -t idle -o %D) == 3 ]]'
}

claimed() { [[ -n $(find "$folder/slurm" -name '*.h5.claim' -print -quit) ]]; }
# task_on NODE: a task that runs there, as 1_2.
task_on() { squeue -h -t RUNNING -w "$1" -o %i | head -1; }
runs_on() { [[ -n $(task_on "$1") ]]; }
all_over() { [[ -z $(squeue -h -o %i) ]]; }

cat >"$folder/trial.yaml" <<END
name: trial
model: {path: $PWD/datasets/mini}
method: {name: rtn, weight: {group_size: 64}}
evaluate:
  - {task: perplexity, dataset: {name: self, samples: 32, length: 256}, kl: true}
sweep:
  method.weight.bits: [2, 3, 4]
  method.kv.bits: [2, 3, 4, 16]
END
runs=12

say "a single process"
"$wkvq" run "$folder/trial.yaml" --results "$folder/single" --quiet
start_slurm
say "$(sinfo -V) with three nodes"
"$wkvq" submit "$folder/trial.yaml" --results "$folder/slurm" --slurm --array-size 6
until_true 120 claimed
until_true 60 runs_on n1
until_true 60 runs_on n2
task=$(task_on n2)
say "node n1 is killed (task $(task_on n1)), task $task is requeued"
kill -9 "${nodes[n1]}"
scontrol requeue "$task"
"$wkvq" status "$folder/slurm" | head -1
until_true 900 all_over
say "the queue is empty"
"$wkvq" status "$folder/slurm"
grep -h 'requeued [1-9]' "$folder"/slurm/trial/slurm/*.log || fail "no task was requeued"

done_once=$(grep -hE '^\[[0-9]+/[0-9]+\] [^ ]+  [0-9]+:[0-9]{2}  ' "$folder"/slurm/trial/slurm/*.log |
  cut -d' ' -f2 | sort | uniq -c | awk '$1 == 1' | wc -l)
[[ $done_once == "$runs" ]] || fail "$done_once runs were done once; expected $runs"
[[ -z $(find "$folder/slurm" -name '*.claim' -o -name '*.tmp') ]] || fail "claims or halves are left"
"$wkvq" merge "$folder/slurm" --out "$folder/slurm.h5"
"$wkvq" merge "$folder/slurm.h5" "$folder/single" --out "$folder/both.h5" | tee "$folder/both.txt"
grep -q "$runs were there twice, equal" "$folder/both.txt" || fail "the results differ"
say "all $runs runs are done, none twice, equal to those of a single process"
