# What the proofs share. A proof is a long run that can be stopped and started again; at its end it
# appends what it measured to bench/proofs/RESULTS.md, with command, commit and CPU.
#
#   PARE     the program (build/release/pare)
#   CIFAR    a folder with train/data_batch_*.bin and test/test_batch.bin (tools/cifar10.py makes them)
#            (a proof that needs none sets NO_CIFAR)
#   ASSETS   models (../shared/assets)
#   WORK     where runs are kept (build/proofs), in a folder for each program: what another one left is never taken for its results
#   RESULTS  what records are appended to (bench/proofs/RESULTS.md; -: they are shown alone)
#   PROOF_CHANGED=1  take a program or scripts with uncommitted changes, and say so in the record
set -euo pipefail
shopt -s inherit_errexit  # a row that fails ends the proof: nothing is recorded
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PARE=${PARE:-build/release/pare}
ASSETS=${ASSETS:-../shared/assets}
WORK=${WORK:-build/proofs}
[[ -n ${NO_CIFAR:-} ]] || : "${CIFAR:?is the folder with train/ and test/ of CIFAR-10; tools/cifar10.py makes the binaries}"
IMAGENET=(--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)
export PROOF_NAME=${PROOF_NAME:-$(basename "$0" .sh)}  # what its verdicts are kept under
WORK=$(python3 bench/proofs/proof.py folder "$PARE" "$WORK")
MADE=$(mktemp)  # the files that this proof rests on, also those that a subshell made
VERDICTS=$(mktemp)
trap 'rm -f "$MADE" "$VERDICTS"' EXIT

# top1 MODEL: percent of the 10,000 test pictures.
top1() { "$PARE" evaluate "$1" --data "$CIFAR/test/test_batch.bin" "${IMAGENET[@]}" --batch 32 --json --quiet |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["top1"])'; }
# member FILE NAME…: of a report written with --json, of one member in another; 0 for null.
member() { python3 -c 'import functools,json,sys; print(functools.reduce(lambda at, name: at[name], sys.argv[2:], json.load(open(sys.argv[1]))) or 0)' "$@"; }
# once FILE COMMAND…: what the command prints goes into FILE, whole or not at all; a proof that is started again finds it there. It fails
# where another command made FILE, and keeps what else the machine did meanwhile.
once() {
  python3 bench/proofs/proof.py once "$@" || return
  printf '%s\n' "$1" >>"$MADE"
}
# minutes FILE: that once took for it, in all runs of the command.
minutes() { python3 bench/proofs/proof.py minutes "$1"; }
# verdict LINE WORDS CONDITION FIGURE: whether a line of an issue ("4.3") holds, and what was found. The condition is Python's.
verdict() { python3 bench/proofs/proof.py verdict "$@" >>"$VERDICTS"; }
# record LINE…: under the stamp of the program and this machine, with the verdicts behind it, appended to the results and shown; fails where
# a verdict doesn't hold. Nothing may be computed in its arguments: bash goes on where that fails.
record() {
  local made
  mapfile -t made < <(sort -u "$MADE")
  printf '%s\n' "$@" | python3 bench/proofs/proof.py record "$PARE" "$WORK" "$VERDICTS" "${made[@]}"
}
