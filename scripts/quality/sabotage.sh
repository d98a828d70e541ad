#!/usr/bin/env bash
# Breaks the code in one place at a time (sabotages.txt), in a copy, and shows which tests see it. A sabotage that no test
# sees fails the script.
# usage: scripts/quality/sabotage.sh [NAME ...]   (after scripts/bootstrap.sh; about a minute a sabotage)
#        scripts/quality/sabotage.sh --check      (no build: every one still finds the place that it breaks)
set -euo pipefail
cd "$(dirname "$0")/../.."
table=scripts/quality/sabotages.txt
copy=${TMPDIR:-/tmp}/wkvq-sabotage
shared=$(realpath "${WKVQ_SHARED:-../shared}" 2>/dev/null || true)

# The one tracked file of that name: files move, sabotages stay.
place_of() {
  local found
  found=$(git ls-files "$1" "*/$1")
  [[ $(wc -l <<<"$found") -eq 1 && -n $found ]] ||
    { echo "sabotage: not one file is named $1: ${found//$'\n'/ }" >&2; exit 1; }
  echo "$found"
}

if [[ ${1:-} == --check ]]; then
  while IFS=$'\t' read -r name file expression _; do
    file=$(place_of "$file")
    broken=$(sed "$expression" "$file")
    if [[ $broken == "$(<"$file")" ]]; then
      echo "$name: changes nothing in $file" >&2
      exit 1
    fi
  done < <(grep -v '^#' "$table")
  echo "sabotages: $(grep -cv '^#' "$table") find their places"
  exit 0
fi

rm -rf "$copy" && mkdir -p "$copy"
git ls-files -z | xargs -0 cp --parents -t "$copy"
[[ -z $shared ]] || export WKVQ_SHARED=$shared
ln -s "$(realpath .venv)" "$copy/.venv"
cmake -S "$copy" -B "$copy/build" -G Ninja -DWKVQ_CUDA=off >/dev/null
missed=0
while IFS=$'\t' read -r name file expression program tests <&3; do
  file=$(place_of "$file")
  [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
  sed -i "$expression" "$copy/$file"
  if cmp -s "$file" "$copy/$file"; then echo "$name: the sabotage changes nothing" >&2; exit 1; fi
  cmake --build "$copy/build" --target "$program" -- --quiet >/dev/null
  if output=$("$copy/build/$program" "$tests" 2>&1); then
    echo "MISSED  $name"
    missed=1
  else
    seen=$(grep -B2 -A1 -E '^-{70,}' <<<"$output" | grep -vE '^(-|\.|$|\.\.)' | sort -u | grep -vE '^(/|test_|Run with)' | head -3 | paste -sd';')
    echo "seen    $name ($file): $seen"
  fi
  cp "$file" "$copy/$file"
done 3< <(grep -v '^#' "$table")
rm -rf "$copy"
exit $missed
