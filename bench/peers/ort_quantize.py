#!/usr/bin/env python3
"""Static int8 with ONNX Runtime: QDQ, u8 activations, s8 weights per channel.

    ort_quantize.py MODEL OUT --data DIR_OR_TAR [--preset imagenet] [--method MinMax] [--take-every 3/10]
"""

import argparse
import sys
from pathlib import Path

import onnxruntime as ort
from onnxruntime import quantization as q

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools' / 'oracle'))
import pictures  # noqa: E402


class Reader(q.CalibrationDataReader):
    def __init__(self, options, name):
        n, m = map(int, options.take_every.split('/'))
        preset = pictures.PRESETS[options.preset]
        self.items = ({name: pictures.prepare(p, **preset)}
                      for i, (p, _) in enumerate(pictures.labelled(options.data)) if i % m < n)

    def get_next(self):
        return next(self.items, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('out')
    parser.add_argument('--data', required=True)
    parser.add_argument('--preset', default='imagenet')
    parser.add_argument('--method', choices=[m.name for m in q.CalibrationMethod], default='MinMax')
    parser.add_argument('--take-every', default='3/10')
    options = parser.parse_args()
    name = ort.InferenceSession(options.model, providers=['CPUExecutionProvider']).get_inputs()[0].name
    q.quantize_static(options.model, options.out, Reader(options, name), quant_format=q.QuantFormat.QDQ, per_channel=True,
                      activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8,
                      calibrate_method=q.CalibrationMethod[options.method])


if __name__ == '__main__':
    main()
