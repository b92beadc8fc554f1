#!/usr/bin/env bash
# ResNet-56 with half of its multiplications, cut by pare prune and recovered on the full training set: once without labels (the
# uncut model's answers alone), once with them. Scored once, at the end, on the 10,000 test pictures; the best weights are chosen
# on 1,000 of the training pictures, and so is the rate, by trials. --no-measure: the cuts are the same on every machine, and those that published figures are of.
# Minutes are those of the whole command, in all its runs.
#
#   FORMS    unlabelled, labelled or both (default)
#   EPOCHS   passes over the training pictures
#   RATE     of learning (default: what trials choose; a run of many hours may end better with a higher one)
#   THREADS  to compute with (default: all)
source "$(dirname "$0")/common.sh"
EPOCHS=${EPOCHS:-12}
whole=$ASSETS/models/cifar10/resnet56_cifar10_fp32.onnx
stem=$WORK/resnet56_half_macs
cut=("$PARE" prune "$whole" --data "$CIFAR/train" "${IMAGENET[@]}" --target-macs 0.5x --no-measure --seed 1 --json)
once "$stem.cut.json" "${cut[@]}" --no-recover -o "$stem.cut.onnx"
top1_whole=$(top1 "$whole") top1_cut=$(top1 "$stem.cut.onnx")

rows=()
# form NAME POINTS OPTIONS…: recovers; a row, and whether it holds with so many points lost.
form() {
  local name=$1 points=$2 run=$stem.$1_$EPOCHS${RATE:+_$RATE} score took macs lost rate
  shift 2
  once "$run.json" "${cut[@]}" --epochs "$EPOCHS" --batch 128 ${RATE:+--rate "$RATE"} --nesterov --weight-decay 5e-4 --warmup 100 --flip --crop-pad 4 \
    --temperature 4 "$@" ${THREADS:+--threads "$THREADS"} --checkpoint "$run.npz" --resume -o "$run.onnx"
  score=$(top1 "$run.onnx")
  took=$(minutes "$run.json")
  macs=$(python3 -c "print($(member "$run.json" after macs) / $(member "$run.json" before macs))")
  lost=$(python3 -c "print('%.2f' % ($top1_whole - $score))")
  rate=$(member "$run.json" recovery rate)
  rows+=("$(printf '| %s, %s epochs | %.3g | %.3f | %.2f | %.2f | %.2f | %.1f |' "$name" "$EPOCHS" "$rate" "$macs" "$top1_whole" "$top1_cut" "$score" "$took")")
  verdict 5.2 "ResNet-56 with half of its multiplications, $name: at most $points points lost, in at most 90 minutes" \
    "0.45 <= $macs <= 0.5 and $lost <= $points and $took <= 90" "$(printf '%.2f points, %.1f minutes' "$lost" "$took")"
}
for name in ${FORMS:-unlabelled labelled}; do
  case $name in
    unlabelled) form unlabelled 2.0 ;;
    labelled) form labelled 1.0 --alpha 0.5 ;;
    *) echo "FORMS: there is no $name" >&2; exit 2 ;;
  esac
done
record "ResNet-56 with half of its multiplications: \`$(basename "$0")\` with EPOCHS=$EPOCHS${RATE:+ RATE=$RATE}" "" \
  "| recovery | rate | MACs | whole, 10,000 test pictures | cut, layers fitted, not trained | recovered | minutes |" "|---|---|---|---|---|---|---|" \
  "${rows[@]}"
