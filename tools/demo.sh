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
"$pare" distill --teacher "$model" --student build/demo/student.onnx "${pictures[@]}" --epochs 8 --batch 64 --rate 0.05 --warmup 20 \
  --flip --validation 500 -o build/demo/student_taught.onnx
