#!/usr/bin/env bash
# The main job: float model + pictures in, verified int8 model out.
set -euo pipefail
cd "$(dirname "$0")/.."
pare=$1
mkdir -p build/demo
"$pare" quantize examples/demo/resnet20_cifar10_fp32.onnx --data examples/demo/cifar10_test_2000.bin \
  --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --batch 1 -o build/demo/resnet20_int8.onnx
