#!/usr/bin/env bash
# Distillation that pays: a student of at most a quarter of ResNet-56's multiplications, trained from the same start for the same
# steps with its teacher and without, for three seeds. Scored on the 10,000 test pictures; the best weights of each run are chosen on
# 1,000 of the training pictures.
source "$(dirname "$0")/common.sh"
STEPS=${STEPS:-2000}
teacher=$ASSETS/models/cifar10/resnet56_cifar10_fp32.onnx
student=$WORK/resnet56_quarter.onnx
[[ -f $student ]] || "$PARE" design "$teacher" --target-macs 0.25x -o "$student" --json >"$WORK/resnet56_quarter.json"
common=(--data "$CIFAR/train" "${IMAGENET[@]}" --steps "$STEPS" --batch 128 --rate 0.1 --nesterov --weight-decay 5e-4 --warmup 100 --flip --crop-pad 4
  --validate-every 250 --resume)

rows=("| seed | by labels alone | with the teacher | gain |" "|---|---|---|---|")
sums=(0 0)
for seed in 1 2 3; do
  run=$WORK/resnet56_quarter_$seed
  [[ -f $run.labels.json ]] || { "$PARE" train "$student" "${common[@]}" --seed "$seed" --checkpoint "$run.labels.npz" -o "$run.labels.onnx" \
    --json >"$run.part" && mv "$run.part" "$run.labels.json"; }
  [[ -f $run.taught.json ]] || { "$PARE" distill --teacher "$teacher" --student "$student" "${common[@]}" --seed "$seed" --alpha 0.9 --temperature 4 \
    --checkpoint "$run.taught.npz" -o "$run.taught.onnx" --json >"$run.part" && mv "$run.part" "$run.taught.json"; }
  labels=$(top1 "$run.labels.onnx") taught=$(top1 "$run.taught.onnx")
  rows+=("$(python3 -c "print(f'| $seed | {$labels:.2f} | {$taught:.2f} | {$taught - $labels:+.2f} |')")")
  sums=("$(python3 -c "print(${sums[0]} + $labels)")" "$(python3 -c "print(${sums[1]} + $taught)")")
done
rows+=("$(python3 -c "a, b = ${sums[0]} / 3, ${sums[1]} / 3; print(f'| mean | {a:.2f} | {b:.2f} | {b - a:+.2f} |')")")
record "A student of ResNet-56 with at most 1/4 of its multiplications, $STEPS steps of 128: \`$(basename "$0")\`" "" "${rows[@]}"
tail -7 "$RESULTS"
