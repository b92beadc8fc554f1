#!/usr/bin/env bash
# MobileNetV2 (ImageNet weights) with 10 % of its multiplications removed and no training: widths cut by plain L1 with the weights left as
# they were, the same part of every layer or where it loses least, and `pare prune` as it comes. 192 pictures judge and fit, without their
# labels; the others verify. Seconds are those until the cut stands, and of the whole command, which loads, verifies and times it, too: that counts.
# Judged against the better of the two plain forms; these must have as many multiplications left, within 1 %.
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

whole=$(minutes "$run.pruned.json")
found=$(python3 - "$run" "${TARGET%x}" "$whole" <<'PY'
import json, sys
NAMES = {"l1_layer": "L1, every layer, weights as they were", "l1": "L1, where it loses least, weights as they were", "l1_fitted": "L1, layers fitted",
         "pruned": "as it comes: judged and fitted by least squares"}
reports = {name: json.load(open(f"{sys.argv[1]}.{name}.json")) for name in NAMES}
target, seconds = float(sys.argv[2]), 60 * float(sys.argv[3])
part = {name: r["after"]["macs"] / r["before"]["macs"] for name, r in reports.items()}
apart = {name: 100 - r["quality"]["agreement"] for name, r in reports.items()}
plain = min(apart["l1_layer"], apart["l1"])
comparable = part["pruned"] <= target and all(abs(part[name] - part["pruned"]) <= 0.01 for name in ("l1_layer", "l1"))
print(comparable and apart["pruned"] <= plain / 2 and seconds <= 180)
print(f"{apart['pruned']:.2f} % disagree, plain L1 {plain:.2f} %; {seconds:.0f} s")
quality = reports["pruned"]["quality"]
print(f"The whole model's top-1 is {quality['top1_a']:.2f} % of {quality['count']} pictures; the whole command took {seconds:.0f} s.\n")
print("| | MACs | top-1 | disagreement, % | seconds until the cut |\n|---|---|---|---|---|")
for name, words in NAMES.items():
    print(f"| {words} | {part[name]:.3f} | {reports[name]['quality']['top1_b']:.2f} | {apart[name]:.2f} | {reports[name]['seconds']['prune']:.0f} |")
PY
)
{ read -r good && read -r figure && table=$(cat); } <<<"$found"
verdict 5.3 "MobileNetV2 with $TARGET of its multiplications, not trained: at most half the disagreement that plain L1 leaves, in at most 180 s" "$good" "$figure"
record "MobileNetV2 with $TARGET of its multiplications, no training: \`$(basename "$0")\` with TARGET=$TARGET" "" "$table"
