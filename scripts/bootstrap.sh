#!/usr/bin/env bash
# Installs what the build needs (Debian 12, Ubuntu 24.04) and configures build/. Does nothing twice.
# usage: scripts/bootstrap.sh [CMake options]
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(build-essential cmake ninja-build ccache pkg-config python3 python3-venv git
  libcli11-dev nlohmann-json3-dev libsentencepiece-dev libpcre2-dev libicu-dev libhdf5-dev
  libyaml-cpp-dev libeigen3-dev libfmt-dev libxxhash-dev librsvg2-dev
  libcairo2-dev catch2)

# Debian packages, as root or by sudo. Says why where it cannot; then nothing was installed.
install_packages() {
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "Not root and no sudo. Please install: $*" >&2; return 2; }
    as_root=(sudo)
  fi
  command -v apt-get >/dev/null || { echo "No apt-get here. Please install: $*" >&2; return 2; }
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    { echo "apt-get could not install: $*" >&2; return 2; }
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "Installing packages: ${missing[*]}"
  install_packages "${missing[@]}"
fi

stamp=.venv/.$(sha256sum scripts/requirements.txt | cut -c1-16)
if [[ ! -e $stamp ]]; then
  echo "Installing libtorch into .venv (about 5 GB)"
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check \
    -r scripts/requirements.txt
  touch "$stamp"
fi

# Two tests open the page of results in a browser and are skipped without one. Debian's is 81 MB to
# fetch and 290 MB on disk, its libraries apart; Ubuntu has it as a snap only. Asked for once.
if ! command -v chromium >/dev/null && [[ ! -e .venv/.chromium_tried ]]; then
  echo "Installing chromium for the tests of pages (81 MB and its libraries)"
  install_packages chromium fonts-dejavu-core ||
    echo "warning: no chromium; tests of the page in a browser will be skipped" >&2
  touch .venv/.chromium_tried
fi

cmake --preset release "$@" >build.log 2>&1 || { cat build.log >&2; exit 1; }
rm -f build.log
