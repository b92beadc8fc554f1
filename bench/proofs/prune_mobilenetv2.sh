#!/usr/bin/env bash
# MobileNetV2 (ImageNet weights) with 10 % of its multiplications removed and no training: widths cut by L1 with the weights left as
# they were, and `pare prune` as it comes. 192 unlabelled pictures judge and fit; the others verify.
NO_CIFAR=1
source "$(dirname "$0")/common.sh"
model=$ASSETS/models/imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx
common=(--data "$ASSETS/datasets/imagenet_sample1000_s256.tar" "${IMAGENET[@]}" --target-macs "${TARGET:-0.9x}" --no-recover --json)
run=$WORK/prune_mobilenetv2
once "$run.l1.json" "$PARE" prune "$model" "${common[@]}" --importance l1 --no-reconstruction -o "$run.l1.onnx"
once "$run.l1_fitted.json" "$PARE" prune "$model" "${common[@]}" --importance l1 -o "$run.l1_fitted.onnx"
once "$run.pruned.json" "$PARE" prune "$model" "${common[@]}" -o "$run.pruned.onnx"

row() { python3 - "$1" "$2" <<'PY'
import json, sys
name, report = sys.argv[1], json.load(open(sys.argv[2]))
quality = report["quality"]
print(f"| {name} | {report['after']['macs'] / report['before']['macs']:.3f} | {quality['top1_b']:.2f} | "
      f"{100 - quality['agreement']:.2f} | {report['seconds']['prune']:.0f} |")
PY
}
top1=$(python3 -c 'import json,sys; q=json.load(open(sys.argv[1]))["quality"]; print(f"{q[sys.argv[2]]:.2f} % of {q[sys.argv[3]]}")' \
  "$run.pruned.json" top1_a count)
record "MobileNetV2 with ${TARGET:-0.9x} of its multiplications, no training: \`$(basename "$0")\`; the whole model's top-1 is $top1 pictures" "" \
  "| | MACs | top-1 | disagreement, % | seconds |" "|---|---|---|---|---|" \
  "$(row "L1, weights as they were" "$run.l1.json")" "$(row "L1, layers fitted" "$run.l1_fitted.json")" \
  "$(row "as it comes: judged and fitted by least squares" "$run.pruned.json")"
tail -6 "$RESULTS"
