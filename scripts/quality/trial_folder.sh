#!/usr/bin/env bash
# Several processes work on one sweep in one folder while a random one of them is killed again and again and started anew.
# Prints what is left: every run must be done once, with the numbers that one process alone gets, and nothing beside them may lie in the folder.
# usage: scripts/quality/trial_folder.sh [WRITERS] [KILLS] [SEED]   (after scripts/bootstrap.sh and a build; default 4 writers, 60 kills)
set -euo pipefail
cd "$(dirname "$0")/../.."
writers=${1:-4} kills=${2:-60} RANDOM=${3:-1}
wkvq=$PWD/build/wkvq
work=$(mktemp -d "${TMPDIR:-/tmp}/wkvq-trial-XXXXXX")
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
pids=()
export OMP_NUM_THREADS=1

cat > "$work/trial.yaml" <<YAML
name: trial
model: {path: $PWD/datasets/mini}
method: {name: rtn, weight: {bits: 4}}
evaluate:
  - {task: perplexity, dataset: {name: self, samples: 64, length: 256}, kl: true}
sweep:
  method.weight.bits: [16, 8, 6, 4, 3, 2]
  method.kv.bits: [16, 8, 6, 5, 4, 3, 2]
YAML

start() {  # number of the writer
  "$wkvq" run "$work/trial.yaml" --results "$work/results" >> "$work/out.$1" 2>> "$work/err.$1" &
  pids[$1]=$!
}

alone_from=$SECONDS
"$wkvq" run "$work/trial.yaml" --results "$work/alone" > "$work/alone.out" 2>&1
alone=$((SECONDS - alone_from))
runs=$(find "$work/alone/trial" -name '*.h5' | wc -l)

from=$SECONDS killed=0 interrupted=0 bad_codes=0 resets=0
for ((i = 0; i < writers; ++i)); do start "$i"; done
while ((killed + interrupted < kills)); do
  sleep "0.$((RANDOM % 9 + 1))"
  victim=$((RANDOM % writers)) signal=$([ $((RANDOM % 3)) = 0 ] && echo TERM || echo KILL)
  code=0
  kill "-$signal" "${pids[$victim]}" 2> /dev/null || true
  wait "${pids[$victim]}" || code=$?
  case $code in
    137) killed=$((killed + 1)) ;;
    143) interrupted=$((interrupted + 1)) ;;
    0)  # It had ended: everything is done, so the trial begins again.
      for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
      rm -rf "$work/results/trial"
      resets=$((resets + 1))
      for ((i = 0; i < writers; ++i)); do [ "$i" = "$victim" ] || start "$i"; done ;;
    *) bad_codes=$((bad_codes + 1)) ;;
  esac
  start "$victim"
done
for pid in "${pids[@]}"; do wait "$pid" || bad_codes=$((bad_codes + 1)); done

"$wkvq" report "$work/alone" --format json > "$work/alone.json"
"$wkvq" report "$work/results" --format json > "$work/shared.json"
python3 - "$work" "$runs" <<PYTHON
import json, pathlib, sys
work, runs = pathlib.Path(sys.argv[1]), int(sys.argv[2])
alone, shared = ({r["run_id"]: r for r in json.loads((work / f"{n}.json").read_text())} for n in ("alone", "shared"))
done = sum(r["status"] == "done" for r in shared.values())
equal = sum(shared.get(i, {}).get("evaluation") == r["evaluation"] for i, r in alone.items())
left = [p.name for p in (work / "results").rglob("*") if p.is_file() and (p.suffix not in (".h5", ".safetensors"))]
print(f"writers $writers, kills $killed (SIGKILL) + $interrupted (SIGTERM), begun anew $resets times, "
      f"{$SECONDS - $from} s (one process alone, one time: $alone s)")
print(f"runs {runs}, done {done}, with the numbers of one process alone {equal}, other exit codes $bad_codes, files left over {len(left)}")
sys.exit(not (done == equal == runs and not left and $bad_codes == 0))
PYTHON
