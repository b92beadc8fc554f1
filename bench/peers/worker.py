#!/usr/bin/env python3
"""Time one model in one peer engine: load, warm up, run for a while, print one JSON object.

    worker.py ort|openvino MODEL [--threads 1] [--batch 1] [--seconds 1.5] [--openvino-precision f32]
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools' / 'oracle'))
from engines import ENGINES  # noqa: E402


def load(options):
    """The engine's run function and the inputs; symbolic dimensions other than the first become 64."""
    extra = {'precision': options.openvino_precision} if options.engine == 'openvino' else {}
    run, shapes, kinds = ENGINES[options.engine](options.model, options.threads, **extra)
    fixed = [[d or (options.batch if i == 0 else 64) for i, d in enumerate(shape)] for shape in shapes]
    if options.engine == 'openvino' and fixed != shapes:
        run, _, _ = ENGINES['openvino'](options.model, options.threads, shapes=fixed, **extra)
    rng = np.random.default_rng(1)
    arrays = []
    for shape, kind in zip(fixed, kinds):
        if 'float' in kind:
            arrays.append(rng.standard_normal(shape).astype(np.float16 if '16' in kind else np.float32))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(np.int32 if '32' in kind else np.int64))
    return run, arrays


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('engine', choices=ENGINES)
    parser.add_argument('model')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=1.5)
    parser.add_argument('--openvino-precision', default='f32')
    options = parser.parse_args()

    start = time.perf_counter()
    run, arrays = load(options)
    loaded = time.perf_counter()
    while time.perf_counter() < loaded + 0.3:
        run(arrays)
    times, end = [], time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times) < 5:
        before = time.perf_counter()
        run(arrays)
        times.append(1000 * (time.perf_counter() - before))
    print(json.dumps({'median_ms': statistics.median(times), 'min_ms': min(times),
                      'load_ms': 1000 * (loaded - start), 'runs': len(times)}))


if __name__ == '__main__':
    main()
