#!/usr/bin/env bash
# Reruns one table of docs/ablations.md and compares it with the committed figures in docs/ablations/.
# usage: scripts/reproduce.sh            lists the tables
#        scripts/reproduce.sh NAME       reruns NAME; what is done already is kept
#        scripts/reproduce.sh NAME --write   replaces its committed figures by what came out
# Tables on stories260K read WKVQ_SHARED (default ../shared): data/models/stories260K and reference/*_tokens.safetensors.
# WKVQ_RESULTS (default results/reproduce): where the run files go.
set -euo pipefail
cd "$(dirname "$0")/.."
SHARED=${WKVQ_SHARED:-../shared}
RESULTS=${WKVQ_RESULTS:-results/reproduce}

# The commands of one table: the fenced block whose first line is "# table NAME".
commands_of() {
  awk -v name="$1" '/^```/ { inside = 0 } inside { print } $0 ~ "^# table " name "( |$)" { inside = 1 }' docs/ablations.md
}

if [[ $# -eq 0 ]]; then
  sed -n 's/^# table //p' docs/ablations.md
  exit
fi
name=$1
commands=$(commands_of "$name")
if [[ -z $commands ]]; then
  echo "reproduce: no table '$name'; known: $(sed -n 's/^# table \([^ ]*\).*/\1/p' docs/ablations.md | tr '\n' ' ')" >&2
  exit 2
fi
[[ -x build/wkvq ]] || { echo "reproduce: no build/wkvq; scripts/quickstart.sh builds it" >&2; exit 2; }

# The documented commands on another results folder; of a report the rows for a program.
wkvq() {
  if [[ $1 == report ]]; then
    build/wkvq "$@" --format csv > "$RESULTS/$name.csv"
  else
    build/wkvq "$@" --results "$RESULTS"
  fi
}
mkdir -p "$RESULTS"
eval "${commands//results\//$RESULTS/}"
python3 scripts/quality/compare_figures.py "docs/ablations/$name.csv" "$RESULTS/$name.csv" ${2:+"$2"}
