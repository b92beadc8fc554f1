#!/usr/bin/env bash
# Label-free recovery: ResNet-56 with its widths cut by 30 % learns from the uncut model's answers on unlabelled training pictures.
# Scored once, at the end, on the 10,000 test pictures; the best weights are chosen by agreement on 1,000 of the training pictures.
source "$(dirname "$0")/common.sh"
EPOCHS=${EPOCHS:-15}
teacher=$ASSETS/models/cifar10/resnet56_cifar10_fp32.onnx
cut=$WORK/resnet56_cut.onnx
run=$WORK/resnet56_recovered_$EPOCHS
once "$WORK/resnet56_cut.json" "$PARE" design "$teacher" --width 0.7 -o "$cut" --json
once "$run.json" "$PARE" distill --teacher "$teacher" --student "$cut" --data "$CIFAR/train" "${IMAGENET[@]}" --epochs "$EPOCHS" --batch 128 \
  --rate 0.05 --nesterov --weight-decay 5e-4 --warmup 100 --flip --crop-pad 4 --temperature 4 --seed 1 --checkpoint "$run.npz" --resume \
  -o "$run.onnx" --json
whole=$(top1 "$teacher") before=$(top1 "$cut") score=$(top1 "$run.onnx") took=$(minutes "$run.json")
row=$(printf '| %.2f | %.2f | %.2f | %.1f |' "$whole" "$before" "$score" "$took")
lost=$(python3 -c "print('%.2f' % ($whole - $score))")
verdict 4.3 "ResNet-56 less 30 % of its widths, label-free: at most 2.5 points below the teacher in at most 60 minutes" "$lost <= 2.5 and $took <= 60" \
  "$(printf '%.2f points, %.1f minutes' "$lost" "$took")"
record "ResNet-56 with its widths cut by 30 %, taught by itself without labels: \`$(basename "$0")\` with EPOCHS=$EPOCHS" "" \
  "| teacher, 10,000 test pictures | cut | recovered | minutes |" "|---|---|---|---|" "$row"
