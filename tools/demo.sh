#!/usr/bin/env bash
# The main job: float model + pictures in, verified int8 model out. Then a short one: a student half as wide learns from the model.
set -euo pipefail
cd "$(dirname "$0")/.."
pare=$1
model=examples/demo/resnet20_cifar10_fp32.onnx
pictures=(--data examples/demo/cifar10_test_2000.bin --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225)
mkdir -p build/demo
"$pare" quantize "$model" "${pictures[@]}" --batch 1 -o build/demo/resnet20_int8.onnx

printf '\n-- distillation: a smaller student, taught by the model on the same pictures without their labels\n\n'
"$pare" design "$model" --width 0.5 -o build/demo/student.onnx
teach=("$pare" distill --teacher "$model" --student build/demo/student.onnx "${pictures[@]}" --rate 0.05 --flip)

# Half a minute at most, however slow the machine: a few steps tell for how many samples it has time, beside the validation, which takes as
# long as 450 of them. Eight passes are enough; where there is time for few, smaller batches make more steps of them.
budget=25 most=$((184 * 64)) begin=$SECONDS
speed=$("${teach[@]}" --steps 4 --batch 64 --validation 0 -o build/demo/trial.onnx --json --quiet |
  sed -n 's/^ *"samples_per_second": *\([0-9]*\).*/\1/p')
samples=$(((budget - (SECONDS - begin)) * speed - 450))
samples=$((samples > most ? most : samples < 600 ? 600 : samples))
batch=$((samples < 3000 ? 16 : 64))
steps=$((samples / batch))
"${teach[@]}" --steps "$steps" --batch "$batch" --warmup $((steps / 9)) --validation 500 -o build/demo/student_taught.onnx
took=$((SECONDS - begin))
printf '\nlearned for %s s from %s samples, of %s that are worth while\n' "$took" "$samples" "$most"
if ((took > 30)); then echo "that is more than 30 s: the machine was busier than the first steps told"; fi
