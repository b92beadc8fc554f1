#!/usr/bin/env bash
# MobileNetV2 (ImageNet weights) with 10 % of its multiplications removed and no training: widths cut by plain L1 with the weights left as
# they were, the same part of every layer or where it loses least, and `pare prune` as it comes. 192 pictures judge and fit, without their
# labels; the others verify. Seconds are those until the cut stands, without verifying it. Judged against the better of the two plain forms.
NO_CIFAR=1
source "$(dirname "$0")/common.sh"
TARGET=${TARGET:-0.9x}
model=$ASSETS/models/imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx
common=(--data "$ASSETS/datasets/imagenet_sample1000_s256.tar" "${IMAGENET[@]}" --target-macs "$TARGET" --no-recover --json)
run=$WORK/prune_mobilenetv2_$TARGET
plain=(--importance l1 --no-depth --no-reconstruction)
once "$run.l1_layer.json" "$PARE" prune "$model" "${common[@]}" "${plain[@]}" --scope layer -o "$run.l1_layer.onnx"
once "$run.l1.json" "$PARE" prune "$model" "${common[@]}" "${plain[@]}" -o "$run.l1.onnx"
once "$run.l1_fitted.json" "$PARE" prune "$model" "${common[@]}" --importance l1 --no-depth -o "$run.l1_fitted.onnx"
once "$run.pruned.json" "$PARE" prune "$model" "${common[@]}" -o "$run.pruned.onnx"

table=$(python3 - "$run" "${TARGET%x}" <<'PY'
import json, sys
NAMES = {"l1_layer": "L1, every layer, weights as they were", "l1": "L1, where it loses least, weights as they were", "l1_fitted": "L1, layers fitted",
         "pruned": "as it comes: judged and fitted by least squares"}
reports = {name: json.load(open(f"{sys.argv[1]}.{name}.json")) for name in NAMES}
part = {name: r["after"]["macs"] / r["before"]["macs"] for name, r in reports.items()}
apart = {name: 100 - r["quality"]["agreement"] for name, r in reports.items()}
seconds = reports["pruned"]["seconds"]["prune"]
quality = reports["pruned"]["quality"]
print(f"The whole model's top-1 is {quality['top1_a']:.2f} % of {quality['count']} pictures.\n")
print("| | MACs | top-1 | disagreement, % | seconds |\n|---|---|---|---|---|")
for name, words in NAMES.items():
    print(f"| {words} | {part[name]:.3f} | {reports[name]['quality']['top1_b']:.2f} | {apart[name]:.2f} | {reports[name]['seconds']['prune']:.0f} |")
holds = part["pruned"] <= float(sys.argv[2]) and apart["pruned"] <= min(apart["l1_layer"], apart["l1"]) / 2 and seconds <= 180
print(f"\nAt most half of the disagreement that the better plain form leaves, in at most 180 seconds: {'holds' if holds else '**does not hold**'}.")
PY
)
record "MobileNetV2 with $TARGET of its multiplications, no training: \`$(basename "$0")\`" "" "$table"
