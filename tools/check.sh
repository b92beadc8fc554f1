#!/usr/bin/env bash
# Everything that must hold beyond the tests. Each step is named; the first that fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh check

step() { printf -- '-- %s\n' "$*"; }

step format
git ls-files 'src/*.h' 'src/*.cc' 'include/*.h' 'tests/*.cc' 'tests/*.h' 'examples/*.cc' |
  xargs clang-format-19 --dry-run --Werror

step layers, names, sizes
python3 tools/check_layers.py
python3 tools/check_names.py
python3 tools/check_sizes.py

step "g++, warnings are errors; no code of one ISA leaks into another"
tools/build.sh ci
python3 tools/check_isa_leaks.py build/ci

step "the kernels of every ISA of this architecture, emulated"
tools/build.sh ci kernels_emulated_test
build/ci/kernels_emulated_test --gtest_brief=1

step "the kernels of aarch64, under qemu"
tools/build.sh aarch64 kernels_test
qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu build/aarch64/kernels_test --gtest_brief=1

if [ "$(uname -m)" = x86_64 ]; then
  step "plans for CPUs beyond this one are the same: replay under qemu, which has no AVX-512"
  qemu-x86_64 -cpu max build/ci/pare_tests --gtest_brief=1 --gtest_filter='*Replay*'
fi

# A size that a broken file only claims must be refused, not allocated: as without the sanitizer.
export ASAN_OPTIONS=allocator_may_return_null=1
step "clang, warnings are errors; address and undefined-behaviour sanitizers"
tools/build.sh asan
ctest --test-dir build/asan --output-on-failure -j "$(nproc)" -LE 'assets|emulated'

step "fuzz targets, briefly, from their corpora"
tools/fuzz.sh 3000

# The emulated and the aarch64 kernels share their threads with the native ones: those run here.
export TSAN_OPTIONS=allocator_may_return_null=1
step "thread sanitizer"
tools/build.sh tsan
ctest --test-dir build/tsan --output-on-failure -j "$(nproc)" -LE 'assets|emulated'

step "all checks passed"
