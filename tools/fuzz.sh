#!/usr/bin/env bash
# fuzz.sh RUNS [TARGET…]: runs the fuzz targets of the fuzz preset, each from tests/fuzz/<target>/ where
# that is there. A finding ends the run with its input kept in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=$1
shift
targets=("$@")
((${#targets[@]})) || targets=($(cd build/fuzz && ls ./*_fuzz))
for target in "${targets[@]}"; do
  name=$(basename "$target")
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  seeds=()
  [[ -d tests/fuzz/$name ]] && seeds=("tests/fuzz/$name")
  echo "fuzzing $name"
  (cd build/fuzz && "./$name" -runs="$runs" -timeout=20 -rss_limit_mb=4096 -verbosity=0 -close_fd_mask=1 \
    "corpus/$name" "${seeds[@]/#/../../}")
done
