#!/usr/bin/env bash
# Gathers what scripts/gpu_check.sh needs on a CUDA machine that reaches no package registry: the Debian packages of the
# libraries that the build takes beside libtorch, as they are published. A CUDA toolkit, PyTorch 2.11, CMake, ninja, a C++
# compiler and dpkg must be there already. Run it on Debian 12; take the folder to the machine with the sources.
# usage: scripts/pack_for_gpu.sh [FOLDER]   (default: vendor)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-vendor}
limit_mib=60
wanted=(libcli11-dev nlohmann-json3-dev libsentencepiece-dev libpcre2-dev libicu-dev libhdf5-dev libyaml-cpp-dev
  libeigen3-dev libfmt-dev libxxhash-dev catch2 pkgconf-bin)
# Part of any machine with a compiler, or asked for by libhdf5-dev and not by our build.
known='^(libc6|libc6-dev|libc-dev-bin|libcrypt1|libcrypt-dev|linux-libc-dev|gcc-12-base|libgcc-s1|libstdc\+\+6|libgfortran5|libquadmath0|libcom-err2|rpcsvc-proto|libtirpc.*|libnsl.*|libssl-dev|libcurl.*-dev|libcurl3-nss|libnss3|libnspr4|nss-plugin-pem|libsqlite3-0|libjpeg.*|libhdf5-(cpp|fortran|hl).*|hdf5-helpers|icu-devtools|libpcre2-(16|32|posix).*|pkg-config|pkgconf)$'

command -v apt-get >/dev/null || { echo "pack_for_gpu: no apt-get here; expected Debian" >&2; exit 2; }
mapfile -t packages < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances "${wanted[@]}" | grep -E '^[a-z0-9]' | sort -u | grep -Ev "$known")
mkdir -p "$folder"
rm -f "$folder"/*.deb
(cd "$folder" && apt-get download -qq "${packages[@]}")
(cd "$folder" && sha256sum ./*.deb >SHA256SUMS)
size=$(du -sm "$folder" | cut -f1)
echo "${#packages[@]} packages, $size MiB in $folder"
((size <= limit_mib)) || { echo "pack_for_gpu: more than $limit_mib MiB" >&2; exit 1; }
