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
tuned=${stem}_tuned_$STEPS
once "$tuned.json" "$PARE" "${how[@]}" --tune --steps "$STEPS" --checkpoint "$tuned.npz" --resume -o "$tuned.onnx" --json

ort() { "$PYTHON" tools/oracle/cifar_top1.py "$1" "$CIFAR/test/test_batch.bin" 2>/dev/null || echo nan; }
float=$(top1 "$model") before=$(top1 "$stem.onnx") after=$(top1 "$tuned.onnx") after_ort=$(ort "$tuned.onnx")
float_ort=$(ort "$model") before_ort=$(ort "$stem.onnx")
back=$(python3 -c "print('%.0f' % (100 * ($after - $before) / max($float - $before, 1e-9)))")
took=$(minutes "$tuned.json") speed=$(member "$tuned.json" tuned samples_per_second)
note=$(printf 'Won back: %s %% of what was lost; %.1f minutes, %.0f samples/s; %s bytes (float: %s).' "$back" "$took" "$speed" \
  "$(stat -c %s "$tuned.onnx")" "$(stat -c %s "$model")")
verdict 4.4 "4-bit ResNet-20, tuned label-free: at least 60 % won back, and ONNX Runtime within 0.5 points" \
  "$before < $float and $after - $before >= 0.6 * ($float - $before) and abs($after - float('$after_ort')) <= 0.5" \
  "$back % of $(python3 -c "print('%.2f' % ($float - $before))") points; $after in pare, $after_ort in ONNX Runtime"
record "ResNet-20, 4-bit weights, 8-bit activations: \`$(basename "$0")\` with STEPS=$STEPS" "" \
  "| top-1, 10,000 test pictures | pare | ONNX Runtime |" "|---|---|---|" \
  "| float | $float | $float_ort |" "| quantized after training | $before | $before_ort |" "| tuned, without labels | $after | $after_ort |" "" \
  "$note"
