#!/usr/bin/env python3
"""Write tests/assets_expected/: what ONNX Runtime makes of the models in ../shared/assets/models from seeded inputs.

    expected_outputs.py [--models DIR]

The format is described in tests/assets_expected/README.md. Inputs are not stored: anybody can draw them.
"""

import argparse
import math
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort

from case_kit import save_npy

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2] / 'tests' / 'assets_expected'
MODELS = HERE.parents[3] / 'shared' / 'assets' / 'models'
FAMILIES = ['imagenet/*.onnx', 'cifar10/*.onnx', 'mlperf_tiny/*.onnx', 'vision/*.onnx', 'audio/dtln*.onnx']
LARGEST = 4096
COLUMNS = ['model', 'case', 'role', 'name', 'dtype', 'shape', 'seed', 'scale', 'offset', 'file', 'stride', 'low', 'high', 'spread']

# scale and offset of an input drawn from [-1, 1), after the preprocessing in the MANIFEST; 2 and 0 is a normalised picture
RANGES = {
    'SqueezeNet1.1_fp16_original': (127.5, 10.0),
    'ic_resnet8_cifar10_fp32': (127.5, 127.5),
    'ic_resnet8_cifar10_int8_qdq': (127.5, 127.5),
    'vww_mobilenetv1_0.25_96_fp32': (0.5, 0.5),
    'mnist_cntk_op8': (127.5, 127.5),
    'pytorch_super_resolution_x3': (0.5, 0.5),
    'mobilenet_v1_0.25_224_fp32': (1.0, 0.0),
    'mobilenet_v2_1.0_224_qat_uint8_pertensor_qdq': (1.0, 0.0),
    'tf2_mobilenet_v2_1.0_224_ptq_int8_perchannel_qdq': (1.0, 0.0),
    'ultraface_slim-320_simplified': (1.0, 0.0),
    'dtln_model_1': (1.0, 1.0),
    'dtln_model_2': (0.5, 0.0),
}


def split_mix(seed, count):
    """SplitMix64 (Steele, Lea, Flood 2014): `count` values in [-1, 1), each from the high 24 bits of one output."""
    with np.errstate(over='ignore'):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0 ** -23) - np.float32(1)


def draw(seed, shape, scale, offset, dtype):
    values = split_mix(seed, int(np.prod(shape))) * np.float32(scale) + np.float32(offset)
    return values.reshape(shape).astype(dtype)


def session(path, level):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = level
    return ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def run(s, feeds, fixed):
    """A file whose batch is fixed at 1 takes the samples one by one."""
    count = len(next(iter(feeds.values())))
    if not fixed or count == 1:
        return s.run(None, feeds)
    runs = [s.run(None, {k: v[i:i + 1] for k, v in feeds.items()}) for i in range(count)]
    return [np.concatenate(parts) for parts in zip(*runs)]


def sample(values):
    """At most LARGEST of the values in memory order, and the step between them."""
    flat = values.astype(np.float32).ravel()
    stride = -(-flat.size // LARGEST)
    while stride > 1 and math.gcd(stride, flat.size) > 1:   # a common factor would skip rows, columns or channels
        stride += 1
    return flat[::stride], stride


def expectations(path, root):
    plain, best = (session(path, level) for level in
                   (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL))
    model = str(path.relative_to(root))
    scale, offset = RANGES.get(path.stem, (2.0, 0.0))
    fixed = not isinstance(best.get_inputs()[0].shape[0], str)
    for batch in [1] if model.startswith('audio/') else [1, 3]:
        case, feeds = f'batch_{batch}', {}
        for i, v in enumerate(best.get_inputs()):
            dtype = {'tensor(float)': np.float32, 'tensor(float16)': np.float16}[v.type]
            shape, seed = [batch] + v.shape[1:], 1000 * batch + i
            if i > 0:   # the state of a recurrent model
                scale, offset = 0.5, 0.0
            feeds[v.name] = draw(seed, shape, scale, offset, dtype)
            yield [model, case, 'input', v.name, feeds[v.name].dtype, shape, seed, scale, offset, '-', '-',
                   feeds[v.name].min(), feeds[v.name].max(), '-']
        results, literal = run(best, feeds, fixed), run(plain, feeds, fixed)
        for i, (v, value) in enumerate(zip(best.get_outputs(), results)):
            kept, stride = sample(value)
            file = f'{path.parent.name}/{path.stem}.{case}.{i}.npy'
            (ROOT / file).parent.mkdir(parents=True, exist_ok=True)
            save_npy(ROOT / file, kept)
            low, high = float(value.min()), float(value.max())
            spread = np.abs(value.astype(np.float64) - literal[i]).max() / max(high - low, 1e-30)
            yield [model, case, 'output', v.name, value.dtype, value.shape, '-', '-', '-', file, stride, low, high, spread]


def text(value):
    if isinstance(value, (list, tuple)):
        return ','.join(map(str, value))
    return f'{value:.9g}' if isinstance(value, (float, np.floating)) else str(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--models', type=Path, default=MODELS)
    options = parser.parse_args()
    for folder in ROOT.glob('*/'):
        shutil.rmtree(folder)
    lines = ['\t'.join(COLUMNS)]
    for family in FAMILIES:
        for path in sorted(options.models.glob(family)):
            for row in expectations(path, options.models):
                lines.append('\t'.join(map(text, row)))
                if row[2] == 'output':
                    print(*map(text, (row[0], row[1], row[3], row[5], row[10], row[11], row[12], row[13])))
    (ROOT / 'index.tsv').write_text('\n'.join(lines) + '\n')
    print(f'{sum(f.stat().st_size for f in ROOT.rglob("*") if f.is_file()):,} bytes')


if __name__ == '__main__':
    main()
