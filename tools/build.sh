#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures where needed, then builds. "benches" stands for all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
# A clone elsewhere finds what this one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
shift || true

[[ -f build/$preset/build.ninja ]] || cmake --preset "$preset" -Wno-dev >/dev/null
targets=()
for target in "$@"; do
  case $target in
    all) ;;  # ninja's default
    benches) targets+=($(ninja -C "build/$preset" -t targets all | sed -n 's/^\([a-z_]*_bench\): phony$/\1/p')) ;;
    *) targets+=("$target") ;;
  esac
done
ninja --quiet -k 30 -C "build/$preset" "${targets[@]}"
