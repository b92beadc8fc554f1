#!/usr/bin/env python3
"""Write networks of well-known forms with random weights: what they answer means nothing, how they are built does.

    make_networks.py detector|unet|encoder -o MODEL.onnx [--samples FILE.npz] [--count 64] [--seed 0]

detector: as YOLOv8 (C2f blocks with split and concat, SPPF, a neck that goes up and down, heads with softmax over bins)
unet:     an encoder and a decoder with skips between them, by transposed convolutions and by resizing
encoder:  as BERT (embeddings, attention with heads and a mask, LayerNormalization, Gelu spelled by Erf)

A network is a function that fills a Sketch and returns another, `samples(count)`: the values of its inputs, by name. The
sizes that stand here are those of bench/proofs/prune_half_macs.py; make_small.py writes smaller ones to tests/models/.
"""

import argparse

import numpy as np
import onnx
from onnx import TensorProto

from sketch import Sketch, f32, i64


def silu(s, x):
    return s.op('Mul', x, s.op('Sigmoid', x))


def conv_silu(s, x, i, o, size=1, stride=1):
    return silu(s, s.conv(x, i, o, size, strides=[stride, stride]))


def c2f(s, x, i, o, depth, residual):
    """Two halves; the second goes through `depth` bottlenecks, and all that came about is joined."""
    half = o // 2
    parts = s.op('Split', conv_silu(s, x, i, o), s.const(i64([half, half])), axis=1, results=2)
    for _ in range(depth):
        h = conv_silu(s, conv_silu(s, parts[-1], half, half, 3), half, half, 3)
        parts.append(s.op('Add', parts[-1], h) if residual else h)
    return conv_silu(s, s.op('Concat', *parts, axis=1), (2 + depth) * half, o)


def sppf(s, x, width):
    """Pooled once, twice and three times, side by side."""
    parts = [conv_silu(s, x, width, width // 2)]
    for _ in range(3):
        parts.append(s.op('MaxPool', parts[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]))
    return conv_silu(s, s.op('Concat', *parts, axis=1), 2 * width, width)


def twice_as_large(s, x, mode, transformation):
    scales = s.const(f32([1, 1, 2, 2]))
    return s.op('Resize', x, '', scales, mode=mode, coordinate_transformation_mode=transformation, nearest_mode='floor')


def detect(s, maps, classes, bins):
    """`maps`: (value, channels, side). For each of their places a box, from the means of four distributions of the
    distance to its sides, and scores of classes."""
    box_width, score_width = max(16, maps[0][1] // 4, 4 * bins), max(maps[0][1], min(classes, 100))
    rows, anchors, strides = [], [], []
    for level, (x, channels, side) in enumerate(maps):
        box = conv_silu(s, conv_silu(s, x, channels, box_width, 3), box_width, box_width, 3)
        score = conv_silu(s, conv_silu(s, x, channels, score_width, 3), score_width, score_width, 3)
        both = s.op('Concat', s.conv(box, box_width, 4 * bins, 1), s.conv(score, score_width, classes, 1), axis=1)
        rows.append(s.op('Reshape', both, s.const(i64([1, 4 * bins + classes, -1]))))
        row, column = np.divmod(np.arange(side * side), side)
        anchors.append(np.stack([column, row]) + 0.5)
        strides.append(np.full(side * side, 8 << level))
    places = sum(side * side for _, _, side in maps)
    box, score = s.op('Split', s.op('Concat', *rows, axis=2), s.const(i64([4 * bins, classes])), axis=1, results=2)
    box = s.op('Transpose', s.op('Reshape', box, s.const(i64([1, 4, bins, places]))), perm=[0, 2, 1, 3])
    mean = s.op('Conv', s.op('Softmax', box, axis=1), s.const(f32(np.arange(bins)).reshape(1, bins, 1, 1)))
    sides = s.op('Reshape', mean, s.const(i64([1, 4, places])))
    near, far = (s.op('Slice', sides, s.const(i64([i])), s.const(i64([i + 2])), s.const(i64([1]))) for i in (0, 2))
    at = s.const(f32(np.concatenate(anchors, 1))[None])
    low, high = s.op('Sub', at, near), s.op('Add', at, far)
    centre = s.op('Div', s.op('Add', low, high), s.const(f32(2)))
    boxes = s.op('Mul', s.op('Concat', centre, s.op('Sub', high, low), axis=1), s.const(f32(np.concatenate(strides))[None]))
    s.output(s.op('Concat', boxes, s.op('Sigmoid', score), axis=1, name='boxes'), [1, 4 + classes, places])


def detector(s, side=320, widths=(16, 32, 64, 128, 256), depths=(1, 2, 2, 1), classes=80, bins=16):
    """Jocher et al. 2023; the file has a batch of 1, as exporters write it."""
    a, b, c, d, e = widths
    once, join = depths[0], lambda *parts: s.op('Concat', *parts, axis=1)
    up = lambda x: twice_as_large(s, x, 'nearest', 'asymmetric')
    h = conv_silu(s, s.input('images', [1, 3, side, side]), 3, a, 3, 2)
    h = c2f(s, conv_silu(s, h, a, b, 3, 2), b, b, depths[0], True)
    p3 = c2f(s, conv_silu(s, h, b, c, 3, 2), c, c, depths[1], True)
    p4 = c2f(s, conv_silu(s, p3, c, d, 3, 2), d, d, depths[2], True)
    p5 = sppf(s, c2f(s, conv_silu(s, p4, d, e, 3, 2), e, e, depths[3], True), e)
    n4 = c2f(s, join(up(p5), p4), e + d, d, once, False)
    m3 = c2f(s, join(up(n4), p3), d + c, c, once, False)
    m4 = c2f(s, join(conv_silu(s, m3, c, c, 3, 2), n4), c + d, d, once, False)
    m5 = c2f(s, join(conv_silu(s, m4, d, d, 3, 2), p5), d + e, e, once, False)
    detect(s, [(m3, c, side // 8), (m4, d, side // 16), (m5, e, side // 32)], classes, bins)
    return lambda count: {'images': s.normal(count, 3, side, side)}


def unet(s, side=128, widths=(16, 32, 64, 128), classes=2):
    """Ronneberger et al. 2015. Upwards, steps by a transposed convolution and steps by resizing take turns."""
    def block(x, i, o):
        for width in (i, o):
            x = s.op('Relu', s.batch_norm(s.conv(x, width, o, bias=False), o))
        return x

    h, channels, skips = s.input('x', ['N', 3, side, side]), 3, []
    for width in widths[:-1]:
        h = block(h, channels, width)
        skips.append((h, width))
        h, channels = s.op('MaxPool', h, kernel_shape=[2, 2], strides=[2, 2]), width
    h, channels = block(h, channels, widths[-1]), widths[-1]
    for step, (skip, width) in enumerate(reversed(skips)):
        if step % 2 == 0:
            weights = s.weight(channels, width, 2, 2, scale=1.5 / np.sqrt(channels))
            h = s.op('ConvTranspose', h, weights, s.weight(width, scale=0.2), strides=[2, 2])
        else:
            h = s.conv(twice_as_large(s, h, 'linear', 'half_pixel'), channels, width)
        h, channels = block(s.op('Concat', skip, h, axis=1), 2 * width, width), width
    s.output(s.op('Sigmoid', s.conv(h, channels, classes, 1), name='y'), ['N', classes, side, side])
    return lambda count: {'x': s.normal(count, 3, side, side)}


def encoder(s, words=2000, length=128, width=384, heads=12, layers=6, classes=2):
    """Devlin et al. 2018."""
    dense = lambda x, i, o: s.op('Add', s.op('MatMul', x, s.weight(i, o, scale=1 / np.sqrt(i))), s.weight(o, scale=0.1))
    half, one, root = s.const(f32(0.5)), s.const(f32(1)), s.const(f32(np.sqrt(2)))

    def norm(x):
        gamma, beta = s.const(1 + s.normal(width) * f32(0.1)), s.weight(width, scale=0.1)
        return s.op('LayerNormalization', x, gamma, beta, axis=-1, epsilon=1e-12)

    def attention(x, mask):
        split = lambda v, perm: s.op('Transpose', s.op('Reshape', v, s.const(i64([0, 0, heads, width // heads]))), perm=perm)
        query, key, value = (dense(x, width, width) for _ in range(3))
        scores = s.op('MatMul', split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1]))
        scores = s.op('Div', scores, s.const(f32(np.sqrt(width // heads))))
        mixed = s.op('MatMul', s.op('Softmax', s.op('Add', scores, mask), axis=-1), split(value, [0, 2, 1, 3]))
        joined = s.op('Reshape', s.op('Transpose', mixed, perm=[0, 2, 1, 3]), s.const(i64([0, 0, width])))
        return dense(joined, width, width)

    def gelu(x):
        return s.op('Mul', s.op('Mul', x, s.op('Add', s.op('Erf', s.op('Div', x, root)), one)), half)

    ids, mask = (s.input(name, ['N', length], TensorProto.INT64) for name in ('input_ids', 'attention_mask'))
    hidden = s.op('Sub', one, s.op('Cast', s.op('Unsqueeze', mask, s.const(i64([1, 2]))), to=TensorProto.FLOAT))
    added = s.op('Mul', hidden, s.const(f32(-10000)))
    h = norm(s.op('Add', s.op('Gather', s.weight(words, width, scale=1), ids), s.weight(length, width, scale=0.5)))
    for _ in range(layers):
        h = norm(s.op('Add', h, attention(h, added)))
        h = norm(s.op('Add', h, dense(gelu(dense(h, width, 4 * width)), 4 * width, width)))
    pooled = s.op('Tanh', s.op('Gemm', s.op('Gather', h, s.const(i64(0)), axis=1), s.weight(width, width), s.weight(width, scale=0.1)))
    s.output(s.op('Gemm', pooled, s.weight(classes, width), s.weight(classes, scale=0.1), transB=1, name='logits'), ['N', classes])

    def samples(count):
        lengths = s.rng.integers(length // 2, length + 1, count)
        return {'input_ids': s.rng.integers(0, words, (count, length)),
                'attention_mask': (np.arange(length) < lengths[:, None]).astype(np.int64)}
    return samples


NETWORKS = {f.__name__: f for f in (detector, unet, encoder)}
OPSET = 17


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network', choices=NETWORKS)
    parser.add_argument('-o', '--output', required=True)
    parser.add_argument('--samples', help='an .npz with made-up inputs')
    parser.add_argument('--count', type=int, default=64)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    sketch = Sketch(options.network, OPSET, options.seed)
    samples = NETWORKS[options.network](sketch)
    model = sketch.model()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, options.output)
    if options.samples:
        np.savez(options.samples, **samples(options.count))


if __name__ == '__main__':
    main()
