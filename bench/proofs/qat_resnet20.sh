#!/usr/bin/env bash
# ResNet-20 with 4-bit weights and 8-bit activations: what quantization after training loses, and how
# much of it tuning against the float model wins back, without labels. Calibrates and tunes on the
# 50,000 training pictures of CIFAR-10; scored on the 10,000 test pictures, with pare and, where PYTHON
# has onnxruntime, with ONNX Runtime.
source "$(dirname "$0")/common.sh"
STEPS=${STEPS:-2000}
PYTHON=${PYTHON:-python3}
model="$ASSETS/models/cifar10/resnet20_cifar10_fp32.onnx"
stem="$WORK/resnet20_int4"
how=(quantize "$model" --data "$CIFAR/train" "${IMAGENET[@]}" --weight-bits 4 --target any --verification 1000 --seed 1)
once "$stem.json" "$PARE" "${how[@]}" -o "$stem.onnx" --json
"$PARE" "${how[@]}" --tune --steps "$STEPS" --checkpoint "${stem}_tuned.npz" --resume -o "${stem}_tuned.onnx" --json >"${stem}_tuned.json"

ort() { "$PYTHON" tools/oracle/cifar_top1.py "$1" "$CIFAR/test/test_batch.bin" 2>/dev/null || echo nan; }
float=$(top1 "$model") before=$(top1 "$stem.onnx") after=$(top1 "${stem}_tuned.onnx")
tuned() { "$PYTHON" -c 'import json,sys; print(json.load(open(sys.argv[1]))["tuned"][sys.argv[2]])' "${stem}_tuned.json" "$1"; }
record "ResNet-20, 4-bit weights, 8-bit activations: \`$(basename "$0")\` with STEPS=$STEPS" "" \
  "| top-1, 10,000 test pictures | pare | ONNX Runtime |" "|---|---|---|" \
  "| float | $float | $(ort "$model") |" \
  "| quantized after training | $before | $(ort "$stem.onnx") |" \
  "| tuned, without labels | $after | $(ort "${stem}_tuned.onnx") |" "" \
  "$(printf 'Won back: %.0f %% of what was lost; %.1f minutes, %.0f samples/s; %s bytes (float: %s).' \
    "$("$PYTHON" -c "print(100*($after-$before)/($float-$before))")" \
    "$("$PYTHON" -c "print($(tuned seconds)/60)")" "$(tuned samples_per_second)" \
    "$(stat -c %s "${stem}_tuned.onnx")" "$(stat -c %s "$model")")"
tail -10 "$RESULTS"
