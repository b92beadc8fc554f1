#!/usr/bin/env bash
# ResNet-20 from random weights on the 50,000 training pictures of CIFAR-10; scored once, at the end,
# on the 10,000 test pictures. The best weights are chosen on 1,000 of the training pictures.
source "$(dirname "$0")/common.sh"
EPOCHS=${EPOCHS:-30}
run=("$PARE" train "$ASSETS/models/cifar10/resnet20_cifar10_fp32.onnx" --from-scratch --data "$CIFAR/train" "${IMAGENET[@]}"
  --epochs "$EPOCHS" --batch 128 --rate 0.1 --nesterov --weight-decay 5e-4 --warmup 200 --flip --crop-pad 4 --seed 1
  --checkpoint "$WORK/resnet20_scratch.npz" --resume --curve "$WORK/resnet20_scratch" -o "$WORK/resnet20_scratch.onnx")
"${run[@]}" --json >"$WORK/resnet20_scratch.json"
record "ResNet-20 from random weights: \`$(basename "$0")\` with EPOCHS=$EPOCHS" "" \
  "| top-1, 10,000 test pictures | minutes | samples/s | best step | peak MB |" "|---|---|---|---|---|" \
  "$(printf '| %.2f | %.1f | %.0f | %s | %.0f |' "$(top1 "$WORK/resnet20_scratch.onnx")" \
    "$(python3 -c "print($(member "$WORK/resnet20_scratch.json" seconds)/60)")" \
    "$(member "$WORK/resnet20_scratch.json" samples_per_second)" "$(member "$WORK/resnet20_scratch.json" best_step)" \
    "$(python3 -c "print($(member "$WORK/resnet20_scratch.json" peak_memory_bytes)/1e6)")")"
tail -4 "$RESULTS"
