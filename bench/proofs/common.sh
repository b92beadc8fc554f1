# What the proofs share. A proof is a long run that can be stopped and started again; at its end it
# appends what it measured to bench/proofs/RESULTS.md, with command, commit and CPU.
#
#   PARE     the program (build/release/pare)
#   CIFAR    a folder with train/data_batch_*.bin and test/test_batch.bin (tools/cifar10.py makes them)
#            (a proof that needs none sets NO_CIFAR)
#   ASSETS   models (../shared/assets)
#   WORK     where runs are kept (build/proofs)
set -euo pipefail
shopt -s inherit_errexit  # a row that fails ends the proof: nothing is recorded
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PARE=${PARE:-build/release/pare}
ASSETS=${ASSETS:-../shared/assets}
WORK=${WORK:-build/proofs}
[[ -n ${NO_CIFAR:-} ]] || : "${CIFAR:?is the folder with train/ and test/ of CIFAR-10; tools/cifar10.py makes the binaries}"
IMAGENET=(--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)
RESULTS=bench/proofs/RESULTS.md
mkdir -p "$WORK"

cpu() { sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1; }
# top1 MODEL: percent of the 10,000 test pictures.
top1() { "$PARE" evaluate "$1" --data "$CIFAR/test/test_batch.bin" "${IMAGENET[@]}" --batch 32 --json --quiet |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["top1"])'; }
# member FILE NAME…: of a report written with --json, of one member in another.
member() { python3 -c 'import functools,json,sys; print(functools.reduce(lambda at, name: at[name], sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"; }
# once FILE COMMAND…: what the command prints goes into FILE, whole or not at all; a proof that is started again finds it there.
once() {
  local file=$1
  shift
  if [[ -f $file ]]; then return; fi
  "$@" >"$file.part"
  mv "$file.part" "$file"
}
# record LINE…: under the stamp of this machine and state of the code.
record() {
  { printf '\n%s, %s, %s threads, commit %s\n\n' "$(date -u +%F)" "$(cpu)" "$(nproc)" "$(git rev-parse --short HEAD)"
    printf '%s\n' "$@"; } >>"$RESULTS"
}
