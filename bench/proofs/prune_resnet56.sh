#!/usr/bin/env bash
# ResNet-56 with half of its multiplications, cut by pare prune and recovered on the full training set: once without labels (the
# uncut model's answers alone), once with them. Scored once, at the end, on the 10,000 test pictures; the best weights are chosen
# on 1,000 of the training pictures. --no-measure: the cuts are the same on every machine, and those that published figures are of.
#
#   FORMS    unlabelled, labelled or both (default)
#   EPOCHS   passes over the training pictures
#   THREADS  to compute with (default: all)
source "$(dirname "$0")/common.sh"
EPOCHS=${EPOCHS:-12}
whole=$ASSETS/models/cifar10/resnet56_cifar10_fp32.onnx
stem=$WORK/resnet56_half_macs
once "$stem.cut.json" "$PARE" prune "$whole" --data "$CIFAR/train" "${IMAGENET[@]}" --target-macs 0.5x --no-measure --no-recover \
  -o "$stem.cut.onnx" --json

row() {
  local form=$1 run=$stem.$1_$EPOCHS
  shift
  once "$run.json" "$PARE" prune "$whole" --data "$CIFAR/train" "${IMAGENET[@]}" --target-macs 0.5x --no-measure --epochs "$EPOCHS" \
    --batch 128 --rate 0.05 --nesterov --weight-decay 5e-4 --warmup 100 --flip --crop-pad 4 --temperature 4 --seed 1 "$@" \
    ${THREADS:+--threads "$THREADS"} --checkpoint "$run.npz" --resume -o "$run.onnx" --json
  printf '| %s, %s epochs | %.2f | %.2f | %.2f | %.1f |' "$form" "$EPOCHS" "$(top1 "$whole")" "$(top1 "$stem.cut.onnx")" \
    "$(top1 "$run.onnx")" "$(python3 -c "print($(member "$run.json" recovery seconds)/60)")"
}
rows=()
for form in ${FORMS:-unlabelled labelled}; do
  case $form in
    unlabelled) rows+=("$(row unlabelled)") ;;
    labelled) rows+=("$(row labelled --alpha 0.5)") ;;
  esac
done
record "ResNet-56 with half of its multiplications: \`$(basename "$0")\`" "" \
  "| recovery | whole, 10,000 test pictures | cut | recovered | minutes |" "|---|---|---|---|---|" "${rows[@]}"
tail -$((${#rows[@]} + 4)) "$RESULTS"
