#!/usr/bin/env python3
"""Top-1 of a CIFAR-10 classifier under ONNX Runtime, percent.

    cifar_top1.py model.onnx test_batch.bin      pictures as (x / 255 − mean) / std with ImageNet's statistics
"""

import sys

import numpy as np
import onnxruntime as ort

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
STD = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
BATCH = 100


def main():
    records = np.fromfile(sys.argv[2], np.uint8).reshape(-1, 3073)
    labels = records[:, 0]
    pictures = records[:, 1:].reshape(-1, 3, 32, 32)
    session = ort.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    right = 0
    for i in range(0, len(labels), BATCH):
        x = (pictures[i:i + BATCH].astype(np.float32) / 255 - MEAN) / STD
        right += (session.run(None, {name: x})[0].argmax(1) == labels[i:i + BATCH]).sum()
    print(round(100 * right / len(labels), 2))


if __name__ == '__main__':
    main()
