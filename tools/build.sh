#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures where needed, then builds. "benches" stands for all of them.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
# A clone elsewhere finds what this one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
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
run=(ninja -k 30 -C "build/$preset" "${targets[@]}")
if [[ ! -t 1 ]]; then
  steps=$("${run[@]}" -n | sed -n 's|^\[.*/\([0-9]*\)\].*|\1|p' | tail -n 1)
  ((${steps:-0} < 20)) || echo "building build/$preset: $steps steps, minutes where the compiler cache is empty"
  run+=(--quiet)
fi
"${run[@]}"
