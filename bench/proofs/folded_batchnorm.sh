#!/usr/bin/env bash
# A file whose BatchNormalization was folded into its convolutions (most exports for inference): how well does it learn, and at which rate?
# ResNet-20 loses 30 % of its widths and learns from the whole one without labels, once from the file with its normalisations and, at
# several rates, from a folded copy (ONNX Runtime folds it: PYTHON needs onnxruntime). Scored on the 10,000 test pictures.
source "$(dirname "$0")/common.sh"
STEPS=${STEPS:-500}
PYTHON=${PYTHON:-python3}
teacher=$ASSETS/models/cifar10/resnet20_cifar10_fp32.onnx
folded=$WORK/resnet20_folded.onnx
folding='
import sys
import onnxruntime as ort
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
options.optimized_model_filepath = sys.argv[2]
ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
'
once "${folded%.onnx}.txt" "$PYTHON" -c "$folding" "$teacher" "$folded"
common=(--data "$CIFAR/train" "${IMAGENET[@]}" --steps "$STEPS" --batch 128 --weight-decay 5e-4 --flip --crop-pad 4 --temperature 4
  --validate-every 250 --seed 1)

# row NAME FILE OPTIONS…: cuts FILE, teaches the cut one, and prints a line of the table.
row() {
  local name=$1 file=$2 run=$WORK/folded_$1_$STEPS
  shift 2
  once "$run.cut.json" "$PARE" design "$file" --width 0.7 -o "$run.cut.onnx" --json
  # A loss that is not finite is a result, too; being stopped, or refused by `once`, is none.
  local status=0
  once "$run.json" "$PARE" distill --teacher "$teacher" --student "$run.cut.onnx" "${common[@]}" "$@" -o "$run.onnx" --json || status=$?
  if ((status > 124)); then return "$status"; fi
  if ((status > 0)); then
    printf '| %s | `%s` | – | did not get through |\n' "${name//_/ }" "${*:-the rate by trials}"
    return
  fi
  local before after
  before=$(top1 "$run.cut.onnx")
  after=$(top1 "$run.onnx")
  printf '| %s | `%s` | %.2f | %.2f |\n' "${name//_/ }" "${*:-the rate by trials}" "$before" "$after"
}
rows=("| file | options | top-1, cut | taught |" "|---|---|---|---|")
rows+=("$(row with_normalisations "$teacher" --optimizer sgd --rate 0.05 --warmup 50)")
rows+=("$(row folded "$folded" --optimizer sgd --rate 0.05 --warmup 50 --clip 0)")
rows+=("$(row folded_clipped "$folded" --optimizer sgd --rate 0.05 --warmup 50 --clip 1)")
rows+=("$(row folded_a_tenth "$folded" --optimizer sgd --rate 0.005 --warmup 50 --clip 1)")
rows+=("$(row folded_adamw "$folded" --optimizer adamw --rate 0.001 --warmup 50)")
rows+=("$(row with_normalisations_by_trials "$teacher")")
rows+=("$(row folded_by_trials "$folded")")
record "ResNet-20 with its widths cut by 30 %, $STEPS steps of 128 without labels, with BatchNormalization and folded: \`$(basename "$0")\`" "" "${rows[@]}"
