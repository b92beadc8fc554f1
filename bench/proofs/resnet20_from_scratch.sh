#!/usr/bin/env bash
# ResNet-20 from random weights on the 50,000 training pictures of CIFAR-10; scored once, at the end,
# on the 10,000 test pictures. The best weights are chosen on 1,000 of the training pictures.
source "$(dirname "$0")/common.sh"
EPOCHS=${EPOCHS:-30}
run=$WORK/resnet20_scratch_$EPOCHS
once "$run.json" "$PARE" train "$ASSETS/models/cifar10/resnet20_cifar10_fp32.onnx" --from-scratch --data "$CIFAR/train" "${IMAGENET[@]}" \
  --epochs "$EPOCHS" --batch 128 --rate 0.1 --nesterov --weight-decay 5e-4 --warmup 200 --flip --crop-pad 4 --seed 1 \
  --checkpoint "$run.npz" --resume --curve "$run" -o "$run.onnx" --json
score=$(top1 "$run.onnx") took=$(minutes "$run.json") speed=$(member "$run.json" samples_per_second) best=$(member "$run.json" best_step)
peak=$(member "$run.json" peak_memory_bytes)
row=$(printf '| %.2f | %.1f | %.0f | %s | %.0f |' "$score" "$took" "$speed" "$best" "${peak%??????}")
verdict 4.2 "ResNet-20 from random weights: at least 85 % in at most 30 minutes" "$score >= 85 and $took <= 30" \
  "$(printf '%.2f %%, %.1f minutes' "$score" "$took")"
record "ResNet-20 from random weights: \`$(basename "$0")\` with EPOCHS=$EPOCHS" "" \
  "| top-1, 10,000 test pictures | minutes | samples/s | best step | peak MB |" "|---|---|---|---|---|" "$row"
