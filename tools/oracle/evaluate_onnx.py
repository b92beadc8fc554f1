#!/usr/bin/env python3
"""Top-1 and top-5 of an ONNX classifier in ONNX Runtime or OpenVINO, on labelled pictures.

    evaluate_onnx.py MODEL --data sample1000.tar [--preset imagenet] [--engine ort|ort-as-written|openvino] [--label-offset N]
                     [--skip-every N/M] [--limit N] [--threads N] [--json]

Presets: imagenet (x/255, mean and std of ImageNet), tf (x/127.5 − 1), caffe (BGR minus mean), cifar (imagenet, no crop), raw.
`--skip-every 3/10` leaves out, of each ten pictures in order, the first three: the ones that `quantize_peers.py` calibrates on.
"""

import argparse
import json
import sys

import numpy as np

import pictures
from engines import ENGINES


def evaluate(run, data, preset, half=False, label_offset=0, keep=lambda i: True, limit=None):
    seen = top1 = top5 = 0
    for i, (picture, label) in enumerate(pictures.labelled(data)):
        if not keep(i):
            continue
        if limit is not None and seen >= limit:
            break
        x = pictures.prepare(picture, **pictures.PRESETS[preset])
        scores = run([x.astype(np.float16) if half else x])[0].ravel()
        best = np.argsort(-scores.astype(np.float32), kind='stable')[:5]
        seen += 1
        top1 += int(best[0] == label + label_offset)
        top5 += int(label + label_offset in best)
    return {'top1': round(100 * top1 / seen, 3), 'top5': round(100 * top5 / seen, 3), 'count': seen}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('--data', required=True)
    parser.add_argument('--preset', choices=pictures.PRESETS, default='imagenet')
    parser.add_argument('--engine', choices=ENGINES, default='ort')
    parser.add_argument('--label-offset', type=int, default=0)
    parser.add_argument('--skip-every', metavar='N/M')
    parser.add_argument('--limit', type=int)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--json', action='store_true')
    options = parser.parse_args()
    run, _, kinds = ENGINES[options.engine](options.model, options.threads)
    keep = lambda i: True
    if options.skip_every:
        n, m = map(int, options.skip_every.split('/'))
        keep = lambda i: i % m >= n
    result = evaluate(run, options.data, options.preset, 'float16' in kinds[0], options.label_offset, keep, options.limit)
    if options.json:
        json.dump(result, sys.stdout)
        print()
    else:
        print(f'{options.engine}: top-1 {result["top1"]:.2f}  top-5 {result["top5"]:.2f}  of {result["count"]}  {options.model}')


if __name__ == '__main__':
    main()
