#!/usr/bin/env bash
# A CIFAR-10 network made small in two commands: prune (width and depth, and learn from the model's own answers), then quantize.
#
#   examples/chain.sh MODEL TRAIN TEST [OUT]
#
#   MODEL   a float .onnx that was trained on pictures normalised by ImageNet's mean and deviation
#   TRAIN   pictures to learn from, labels are not looked at (tools/cifar10.py makes the binaries)
#   TEST    labelled pictures that nothing is chosen by
#   OUT     a folder for the results (default: chain); a run that was stopped goes on from there
#   PARE    the program (default: build/release/pare)
#   TARGET  of the time that the int8 form takes (default: 0.45x)
#   EPOCHS  passes over TRAIN (default: 8)
set -euo pipefail
[[ $# -ge 3 ]] || { sed -n 's/^# \{0,1\}//; 2,13p' "$0" >&2; exit 2; }
model=$1 train=$2 test=$3 out=${4:-chain}
PARE=${PARE:-build/release/pare}
data=(--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)
mkdir -p "$out"

# Channels and whole blocks go, those first that gain most time for what they lose; what is left learns to answer as the model does.
"$PARE" prune "$model" --data "$train" "${data[@]}" --target-latency "${TARGET:-0.45x}" --for int8 \
  --epochs "${EPOCHS:-8}" --batch 128 --nesterov --weight-decay 5e-4 --warmup 100 --flip --crop-pad 4 \
  --checkpoint "$out/run.npz" --resume -o "$out/pruned.onnx"

# The file knows by now how pictures are prepared.
[[ -f $out/int8.onnx ]] || "$PARE" quantize "$out/pruned.onnx" --data "$train" -o "$out/int8.onnx"

# What each step gave: top-1, agreement, size and time, by turns with the model that all began with.
for step in pruned int8; do
  "$PARE" compare "$model" "$out/$step.onnx" --data "$test" "${data[@]}" --threads 1 --quiet
done
