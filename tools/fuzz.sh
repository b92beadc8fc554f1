#!/usr/bin/env bash
# fuzz.sh RUNS [TARGET…]: runs the fuzz targets of the asan preset, each from tests/fuzz/<target>/ where
# that is there. A finding ends the run with its input kept in build/asan.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=$1
shift
targets=("$@")
((${#targets[@]})) || targets=($(cd build/asan && ls ./*_fuzz))
for target in "${targets[@]}"; do
  name=$(basename "$target")
  corpus=build/asan/corpus/$name
  mkdir -p "$corpus"
  seeds=()
  [[ -d tests/fuzz/$name ]] && seeds=("tests/fuzz/$name")
  echo "fuzzing $name"
  (cd build/asan && "./$name" -runs="$runs" -timeout=20 -rss_limit_mb=4096 -verbosity=0 -close_fd_mask=1 \
    "corpus/$name" "${seeds[@]/#/../../}")
done
