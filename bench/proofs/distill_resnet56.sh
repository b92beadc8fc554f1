#!/usr/bin/env bash
# Distillation that pays: a student of at most a quarter of ResNet-56's multiplications, trained from the same start for the same
# steps with its teacher and without, for three seeds. The teacher gives its logits and the features that these are made from. Scored on
# the 10,000 test pictures; the best weights of each run are chosen on 1,000 of the training pictures. All else is the same in both, and
# not augmented: the teacher answers every picture once.
source "$(dirname "$0")/common.sh"
STEPS=${STEPS:-600} RATE=${RATE:-0.05} TEMPERATURE=${TEMPERATURE:-2} ALPHA=${ALPHA:-0.9} HINT=${HINT:-3} SEEDS=${SEEDS:-1 2 3}
teacher=$ASSETS/models/cifar10/resnet56_cifar10_fp32.onnx
student=$WORK/resnet56_half_depth_quarter.onnx
run=$WORK/quarter_$STEPS-$RATE
once "${student%.onnx}.json" "$PARE" design "$teacher" --depth 0.5 --target-macs 0.25x -o "$student" --json
common=(--data "$CIFAR/train" "${IMAGENET[@]}" --steps "$STEPS" --batch 128 --rate "$RATE" --nesterov --weight-decay 5e-4 --warmup 100
  --validate-every 200 --resume)
taught=(--alpha "$ALPHA" --temperature "$TEMPERATURE" --hint /GlobalAveragePool_output_0 --hint-weight "$HINT" --cache "$WORK/resnet56_answers.npz")

rows=("| seed | by labels alone | with the teacher | gain |" "|---|---|---|---|")
scores=()
for seed in $SEEDS; do
  by=$run-labels-$seed with=$run-$ALPHA-$TEMPERATURE-$HINT-$seed
  once "$by.json" "$PARE" train "$student" "${common[@]}" --seed "$seed" --checkpoint "$by.npz" -o "$by.onnx" --json
  once "$with.json" "$PARE" distill --teacher "$teacher" --student "$student" "${common[@]}" "${taught[@]}" --seed "$seed" \
    --checkpoint "$with.npz" -o "$with.onnx" --json
  alone=$(top1 "$by.onnx") taught_score=$(top1 "$with.onnx")
  scores+=("$alone $taught_score")
  rows+=("$(python3 -c "import sys; a, b = map(float, sys.argv[2:]); print(f'| {sys.argv[1]} | {a:.2f} | {b:.2f} | {b - a:+.2f} |')" \
    "$seed" "$alone" "$taught_score")")
done
rows+=("$(printf '%s\n' "${scores[@]}" | python3 -c "
import statistics, sys
a, b = map(statistics.mean, zip(*(map(float, line.split()) for line in sys.stdin)))
print(f'| mean | {a:.2f} | {b:.2f} | {b - a:+.2f} |')")")
better=$(printf '%s\n' "${scores[@]}" | python3 -c "
import sys
pairs = [tuple(map(float, line.split())) for line in sys.stdin]
print(len(pairs) >= 3 and sum(b - a for a, b in pairs) > 0)")
macs=$(python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print("%.3f" % (r["after"]["macs"] / r["before"]["macs"]))' "${student%.onnx}.json")
verdict=$(holds "Of at least 3 seeds the distilled are better in the mean; at most 1/4 of the multiplications, at most 2,000 steps" \
  "$better and $macs <= 0.25 and $STEPS <= 2000")
record "A student of ResNet-56 with $macs of its multiplications, $STEPS steps of 128, rate $RATE, temperature $TEMPERATURE, alpha $ALPHA, hint $HINT: \`$(basename "$0")\`" "" \
  "${rows[@]}" "" "$verdict"
