# What the proofs share. A proof is a long run that can be stopped and started again; at its end it
# appends what it measured to bench/proofs/RESULTS.md, with command, commit and CPU.
#
#   PARE     the program (build/release/pare)
#   CIFAR    a folder with train/data_batch_*.bin and test/test_batch.bin (tools/cifar10.py makes them)
#            (a proof that needs none sets NO_CIFAR)
#   ASSETS   models (../shared/assets)
#   WORK     where runs are kept (build/proofs), in a folder for each program: what another one left is never taken for its results
#   PROOF_CHANGED=1  take a program or scripts with uncommitted changes, and say so in the record
set -euo pipefail
shopt -s inherit_errexit  # a row that fails ends the proof: nothing is recorded
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PARE=${PARE:-build/release/pare}
ASSETS=${ASSETS:-../shared/assets}
WORK=${WORK:-build/proofs}
[[ -n ${NO_CIFAR:-} ]] || : "${CIFAR:?is the folder with train/ and test/ of CIFAR-10; tools/cifar10.py makes the binaries}"
IMAGENET=(--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)
RESULTS=bench/proofs/RESULTS.md
WORK=$(python3 bench/proofs/proof.py folder "$PARE" "$WORK")
MADE=$(mktemp)  # the files that this proof rests on, also those that a subshell made
trap 'rm -f "$MADE"' EXIT

# top1 MODEL: percent of the 10,000 test pictures.
top1() { "$PARE" evaluate "$1" --data "$CIFAR/test/test_batch.bin" "${IMAGENET[@]}" --batch 32 --json --quiet |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["top1"])'; }
# member FILE NAME…: of a report written with --json, of one member in another.
member() { python3 -c 'import functools,json,sys; print(functools.reduce(lambda at, name: at[name], sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"; }
# once FILE COMMAND…: what the command prints goes into FILE, whole or not at all; a proof that is started again finds it there. It fails
# where another command made FILE, and keeps what else the machine did meanwhile.
once() {
  python3 bench/proofs/proof.py once "$@" || return
  printf '%s\n' "$1" >>"$MADE"
}
# minutes FILE: that once took for it, in all runs of the command.
minutes() { python3 bench/proofs/proof.py minutes "$1"; }
# holds WORDS CONDITION: a line of the record that says whether what must be shown was. The condition is Python's.
holds() {
  local verdict
  verdict=$(python3 -c "print('holds' if ($2) else '**does not hold**')")
  printf '%s: %s.' "$1" "$verdict"
}
# record LINE…: under the stamp of the program and this machine, appended to the results and shown. Nothing may be computed in its
# arguments: bash goes on where that fails.
record() {
  local made stamp
  mapfile -t made < <(sort -u "$MADE")
  stamp=$(python3 bench/proofs/proof.py stamp "$PARE" "${made[@]}")
  { printf '\n%s\n\n' "$stamp"
    printf '%s\n' "$@"; } | tee -a "$RESULTS"
}
