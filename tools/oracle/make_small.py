#!/usr/bin/env python3
"""Write the small models of tests/models/: a few nodes each, for what one operator alone can't show.

    make_small.py [name ...]

A model is a function that fills a Sketch and returns its cases: name → values of the inputs, in order.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import make_networks
import model_kit
from sketch import Sketch, f32, i64


def mlp(s):
    x = s.input('x', ['N', 20])
    h = s.op('Relu', s.op('Gemm', x, s.weight(33, 20), s.weight(33, scale=0.2), transB=1))
    h = s.op('Relu', s.op('Gemm', h, s.weight(17, 33), s.weight(17, scale=0.2), transB=1))
    s.output(s.op('Gemm', h, s.weight(10, 17), s.weight(10, scale=0.2), transB=1, name='logits'), ['N', 10])
    return {f'batch_{n}': [s.normal(n, 20)] for n in (1, 5)}


def mlp_external(s):
    return mlp(s)


def mlp_matmul(s):
    """Weights as MatMul + Add, the other common spelling, and a Softmax."""
    x = s.input('x', ['N', 20])
    h = s.op('Relu', s.op('Add', s.op('MatMul', x, s.weight(20, 33, scale=0.3)), s.weight(33, scale=0.2)))
    h = s.op('Add', s.weight(10, scale=0.2), s.op('MatMul', h, s.weight(33, 10, scale=0.3)))
    s.output(s.op('Softmax', h, axis=-1, name='probabilities'), ['N', 10])
    return {f'batch_{n}': [s.normal(n, 20)] for n in (1, 5)}


def cnn_residual(s):
    """Conv + BatchNorm + Relu, a residual sum, any batch and any size of picture."""
    x = s.input('x', ['N', 3, 'H', 'W'])
    stem = s.op('Relu', s.batch_norm(s.conv(x, 3, 8, bias=False), 8))
    h = s.op('Relu', s.batch_norm(s.conv(stem, 8, 8, bias=False), 8))
    h = s.batch_norm(s.conv(h, 8, 8), 8)
    h = s.op('Relu', s.op('Add', h, stem))
    h = s.op('MaxPool', h, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    h = s.op('Flatten', s.op('GlobalAveragePool', h))
    s.output(s.op('Gemm', h, s.weight(10, 8), s.weight(10), transB=1, name='logits'), ['N', 10])
    return {'1x16x16': [s.normal(1, 3, 16, 16)], '3x16x16': [s.normal(3, 3, 16, 16)], '1x9x13': [s.normal(1, 3, 9, 13)]}


def cnn_fixed_batch(s):
    """Batch 1 in the file, in a Reshape's constant too. The case of batch 3 is three runs, one after the other."""
    x = s.input('x', [1, 3, 8, 8])
    h = s.op('MaxPool', s.op('Relu', s.conv(x, 3, 6)), kernel_shape=[2, 2], strides=[2, 2])
    h = s.op('Reshape', h, s.const(i64([1, 96])))
    s.output(s.op('MatMul', h, s.weight(96, 10, scale=0.1), name='logits'), [1, 10])
    return {'batch_1': [s.normal(1, 3, 8, 8)], 'batch_3': [s.normal(3, 3, 8, 8)]}


def mobile_block(s):
    """Inverted residual with relu6, then squeeze-and-excite with a hard swish spelled in five operators."""
    x = s.input('x', ['N', 8, 10, 10])
    six, zero = s.const(f32(6)), s.const(f32(0))
    h = s.op('Clip', s.conv(x, 8, 24, 1), zero, six)
    h = s.op('Clip', s.conv(h, 24, 24, 3, group=24), zero, six)
    h = s.op('Add', s.conv(h, 24, 8, 1), x)
    swish = s.op('Div', s.op('Mul', h, s.op('Clip', s.op('Add', h, s.const(f32(3))), zero, six)), six)
    gate = s.op('Relu', s.conv(s.op('GlobalAveragePool', swish), 8, 4, 1))
    gate = s.op('HardSigmoid', s.conv(gate, 4, 8, 1), alpha=1 / 6, beta=0.5)
    s.output(s.op('Mul', swish, gate, name='y'), ['N', 8, 10, 10])
    return {f'batch_{n}': [s.normal(n, 8, 10, 10)] for n in (1, 2)}


def fire_block(s):
    """Squeeze, two expansions and a Concat of channels."""
    x = s.input('x', ['N', 6, 7, 7])
    h = s.op('Relu', s.conv(x, 6, 3, 1))
    a, b = s.op('Relu', s.conv(h, 3, 5, 1)), s.op('Relu', s.conv(h, 3, 7, 3))
    h = s.op('MaxPool', s.op('Concat', a, b, axis=1), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    s.output(s.op('AveragePool', h, kernel_shape=[3, 3], name='y'), ['N', 12, 1, 1])
    return {f'batch_{n}': [s.normal(n, 6, 7, 7)] for n in (1, 2)}


def nhwc_edges(s):
    """Channels last at the edges and transposes around each convolution, as converters from TensorFlow leave them."""
    x = s.input('x', ['N', 6, 6, 4])
    def conv(v, i, o):
        h = s.conv(s.op('Transpose', v, perm=[0, 3, 1, 2]), i, o)
        return s.op('Transpose', h, perm=[0, 2, 3, 1])
    h = s.op('Relu', s.op('Add', conv(x, 4, 5), s.weight(5)))
    h = s.op('Mul', conv(h, 5, 5), s.weight(1, 1, 5))
    s.output(s.op('ReduceMean', h, axes=[1, 2], keepdims=0, name='y'), ['N', 5])
    return {f'batch_{n}': [s.normal(n, 6, 6, 4)] for n in (1, 2)}


def gelu_forms(s):
    """Five spellings of Gelu; the first two are the erf form, the others the tanh form."""
    x = s.input('x', ['N', 13])
    half, one = s.const(f32(0.5)), s.const(f32(1))
    erf = lambda scaled: s.op('Add', s.op('Erf', scaled), one)
    a = s.op('Mul', s.op('Mul', x, erf(s.op('Div', x, s.const(f32(np.sqrt(2)))))), half)
    b = s.op('Mul', s.op('Mul', x, half), erf(s.op('Mul', x, s.const(f32(np.sqrt(0.5))))))
    root = s.const(f32(np.sqrt(2 / np.pi)))
    def tanh(cubed):
        inner = s.op('Mul', root, s.op('Add', x, s.op('Mul', cubed, s.const(f32(0.044715)))))
        return s.op('Add', one, s.op('Tanh', inner))
    c = s.op('Mul', s.op('Mul', half, x), tanh(s.op('Pow', x, s.const(f32(3)))))
    d = s.op('Mul', half, s.op('Mul', x, tanh(s.op('Mul', x, s.op('Mul', x, x)))))
    e = s.op('Mul', x, s.op('Sigmoid', s.op('Mul', x, s.const(f32(1.702)))))
    for i, v in enumerate((a, b, c, d, e)):
        s.output(s.op('Identity', v, name=f'y{i}'), ['N', 13])
    return {'batch_3': [3 * s.normal(3, 13)]}


def layer_norm_forms(s):
    """Four spellings of layer normalisation over the last axis."""
    x = s.input('x', ['N', 4, 12])
    gamma, beta, epsilon = s.weight(12), s.weight(12), s.const(f32(1e-5))
    mean = lambda v: s.op('ReduceMean', v, axes=[-1], keepdims=1)
    affine = lambda v: s.op('Add', s.op('Mul', v, gamma), beta)
    def centred():
        return s.op('Sub', x, mean(x))
    def deviation(d, square):
        return s.op('Sqrt', s.op('Add', mean(square(d)), epsilon))
    by_pow = lambda d: s.op('Pow', d, s.const(f32(2)))
    by_mul = lambda d: s.op('Mul', d, d)
    d = centred()
    a = affine(s.op('Div', d, deviation(d, by_pow)))
    b = affine(s.op('Div', centred(), deviation(centred(), by_pow)))   # the difference is computed twice
    d = centred()
    c = affine(s.op('Mul', d, s.op('Reciprocal', deviation(d, by_mul))))
    d = centred()                                                      # as TensorFlow folds it: x·(r·γ) + (β − μ·r·γ)
    rg = s.op('Mul', s.op('Reciprocal', deviation(d, by_mul)), gamma)
    e = s.op('Add', s.op('Mul', x, rg), s.op('Sub', beta, s.op('Mul', mean(x), rg)))
    for i, v in enumerate((a, b, c, e)):
        s.output(s.op('Identity', v, name=f'y{i}'), ['N', 4, 12])
    return {'batch_2': [s.normal(2, 4, 12)]}


def attention_block(s):
    """Multi-head attention with one fused projection (Split), a causal mask by Where and fixed sequence length."""
    x = s.input('x', ['N', 6, 16])
    qkv = s.op('Add', s.op('MatMul', x, s.weight(16, 48, scale=0.4)), s.weight(48, scale=0.2))
    q, k, v = s.op('Split', qkv, s.const(i64([16, 16, 16])), axis=2, results=3)
    heads = lambda t, perm: s.op('Transpose', s.op('Reshape', t, s.const(i64([0, 6, 4, 4]))), perm=perm)
    scores = s.op('Mul', s.op('MatMul', heads(q, [0, 2, 1, 3]), heads(k, [0, 2, 3, 1])), s.const(f32(0.5)))
    mask = s.const(np.tril(np.ones((1, 1, 6, 6), bool)))
    weights = s.op('Softmax', s.op('Where', mask, scores, s.const(f32(-1e9))), axis=3)
    mixed = s.op('Transpose', s.op('MatMul', weights, heads(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
    y = s.op('MatMul', s.op('Reshape', mixed, s.const(i64([0, 0, -1]))), s.weight(16, 16, scale=0.4))
    s.output(s.op('Add', y, x, name='y'), ['N', 6, 16])
    return {f'batch_{n}': [s.normal(n, 6, 16)] for n in (1, 3)}


def lstm_step(s):
    """One step of an LSTM spelled in gates, with its state as input and output."""
    x, h, c = s.input('x', [1, 5]), s.input('h', [1, 7]), s.input('c', [1, 7])
    gates = s.op('Gemm', s.op('Concat', x, h, axis=1), s.weight(12, 28, scale=0.4), s.weight(28))
    i, o, f, g = s.op('Split', gates, axis=1, results=4)
    sigmoid = lambda v: s.op('Sigmoid', v)
    cell = s.op('Add', s.op('Mul', sigmoid(f), c), s.op('Mul', sigmoid(i), s.op('Tanh', g)), name='c_next')
    s.output(s.op('Mul', sigmoid(o), s.op('Tanh', cell), name='h_next'), [1, 7])
    s.output(cell, [1, 7])
    return {'step': [s.normal(1, 5), s.normal(1, 7), s.normal(1, 7)]}


def to_clean(s):
    """For folding, dead code and common subexpressions: what passes should remove, and results that show they did right."""
    x = s.input('x', ['N', 6])
    shape = s.op('Shape', x)
    rows = s.op('Gather', shape, s.const(i64(0)), axis=0)
    target = s.op('Concat', s.op('Unsqueeze', rows, s.const(i64([0]))), s.op('Constant', value=numpy_helper.from_array(i64([2, 3]))), axis=0)
    cube = s.op('Transpose', s.op('Transpose', s.op('Reshape', x, target), perm=[0, 2, 1]), perm=[0, 2, 1])
    flat = s.op('Flatten', s.op('Identity', s.op('Dropout', s.op('Identity', cube))))
    folded = s.op('Sqrt', s.op('Mul', s.const(f32([2, 2, 2, 2, 2, 2])), s.const(f32(0.125))))
    twice = [s.op('Tanh', s.op('Add', flat, folded)) for _ in range(2)]
    s.op('Exp', s.op('Neg', flat))                                                                  # nobody asks for it
    s.const(s.normal(4, 4), 'unused')
    same = s.op('Mul', s.op('Add', s.op('Add', *twice), s.const(f32(0))), s.const(f32(1)))
    s.output(s.op('Cast', same, to=TensorProto.FLOAT, name='y'), ['N', 6])
    return {f'batch_{n}': [s.normal(n, 6)] for n in (1, 4)}


def several_outputs(s):
    """Two inputs of different kinds; a value is both a result and used inside; results of three types."""
    x, pick = s.input('x', ['N', 5]), s.input('pick', ['N'], TensorProto.INT64)
    h = s.op('Relu', s.op('Gemm', x, s.weight(5, 5)), name='hidden')
    y = s.op('Softmax', s.op('Gemm', h, s.weight(5, 5)), axis=1, name='probabilities')
    best = s.op('ArgMax', y, axis=1, keepdims=0, name='best')
    s.output(h, ['N', 5])
    s.output(y, ['N', 5])
    s.output(best, ['N'], TensorProto.INT64)
    s.output(s.op('Equal', best, pick, name='right'), ['N'], TensorProto.BOOL)
    return {'batch_4': [s.normal(4, 5), i64([0, 1, 2, 3])]}


def typed_data(s):
    """Initializers in typed fields instead of raw bytes, of every type that has one, each brought to float."""
    x = s.input('x', ['N', 4])
    T = TensorProto
    values = {T.FLOAT: [0.5, -1, 2, 3], T.DOUBLE: [0.25, 1, -2, 3], T.INT32: [1, -2, 3, 4], T.INT64: [-5, 6, 7, 8],
              T.INT8: [-128, 1, 2, 127], T.UINT8: [0, 128, 255, 3], T.INT16: [-300, 1, 2, 300], T.UINT16: [0, 60000, 1, 2],
              T.UINT32: [1, 2, 3, 4], T.UINT64: [5, 6, 7, 8], T.BOOL: [1, 0, 1, 1], T.FLOAT16: [0.5, -1.5, 2.25, 65504]}
    total = x
    for kind, data in values.items():
        name = f'typed_{kind}'
        s.initializers.append(helper.make_tensor(name, kind, [4], data))
        total = s.op('Add', total, s.op('Mul', s.op('Cast', name, to=T.FLOAT), s.const(f32(0.01))))
    s.output(s.op('Identity', total, name='y'), ['N', 4])
    return {'batch_2': [s.normal(2, 4)]}


def half_weights(s):
    """Float16 weights brought to float by Cast; the arithmetic is float."""
    x = s.input('x', ['N', 3, 6, 6])
    w = s.op('Cast', s.weight(5, 3, 3, 3, dtype=np.float16), to=TensorProto.FLOAT)
    b = s.op('Cast', s.weight(5, dtype=np.float16), to=TensorProto.FLOAT)
    s.output(s.op('Relu', s.op('Conv', x, w, b), name='y'), ['N', 5, 4, 4])
    return {'batch_2': [s.normal(2, 3, 6, 6)]}


def half_model(s):
    """Float16 from input to output."""
    x = s.input('x', ['N', 3, 6, 6], TensorProto.FLOAT16)
    h = s.op('Relu', s.op('Conv', x, s.weight(5, 3, 3, 3, dtype=np.float16), s.weight(5, dtype=np.float16)))
    s.output(s.op('Flatten', s.op('GlobalAveragePool', h), name='y'), ['N', 5], TensorProto.FLOAT16)
    return {'batch_2': [s.normal(2, 3, 6, 6, dtype=np.float16)]}


def double_weights(s):
    """A double initializer that a Cast brings to float, and a double path."""
    x = s.input('x', ['N', 4])
    w = s.op('Cast', s.weight(4, 3, dtype=np.float64), to=TensorProto.FLOAT)
    d = s.op('Cast', s.op('Mul', s.op('Cast', x, to=TensorProto.DOUBLE), s.const(np.float64(1 / 3))), to=TensorProto.FLOAT)
    s.output(s.op('MatMul', d, w, name='y'), ['N', 3])
    return {'batch_2': [s.normal(2, 4)]}


def odd_names(s):
    """Names with spaces, quotes, slashes, a newline, nothing but Unicode, and (patched in below) bytes that are no UTF-8."""
    x = s.input('in put:0', ['batch size', 3])
    h = s.op('Relu', s.op('Gemm', x, s.const(s.normal(3, 3), '/w"eight"\n\t{0}'), name='größe/Σ'), name='QQQQ')
    s.output(s.op('Neg', h, name='%s <out> \\ '), ['batch size', 3])
    return {'batch_2': [s.normal(2, 3)]}


def qdq_cnn(s):
    """Q/DQ as static quantizers write it: u8 activations, s8 weights per channel, int32 bias, residual, pooling, Gemm."""
    x = s.input('x', ['N', 3, 8, 8])
    def weights(*shape):
        q = s.rng.integers(-127, 128, shape).astype(np.int8)
        scale = (s.rng.random(shape[0]) * 0.004 + 0.002).astype(np.float32)
        return s.op('DequantizeLinear', s.const(q), s.const(scale), s.const(np.zeros(shape[0], np.int8)), axis=0), scale
    def bias(scale):
        q = s.rng.integers(-3000, 3000, scale.shape).astype(np.int32)
        return s.op('DequantizeLinear', s.const(q), s.const(scale), s.const(np.zeros(scale.shape, np.int32)), axis=0)
    def conv(v, v_scale, *shape, **attributes):
        w, scale = weights(*shape)
        return s.op('Conv', v, w, bias(f32(v_scale * scale)), pads=[1, 1, 1, 1], **attributes)
    u = np.uint8
    h = s.quantized(x, 0.03, u(120))
    stem = s.quantized(s.op('Relu', conv(h, 0.03, 8, 3, 3, 3)), 0.02, u(0))
    h = s.quantized(s.op('Relu', conv(stem, 0.02, 8, 1, 3, 3, group=8)), 0.015, u(0))
    h = s.quantized(conv(h, 0.015, 8, 8, 3, 3), 0.03, u(128))
    h = s.quantized(s.op('Relu', s.op('Add', h, stem)), 0.025, u(0))
    h = s.quantized(s.op('MaxPool', h, kernel_shape=[2, 2], strides=[2, 2]), 0.025, u(0))
    h = s.quantized(s.op('GlobalAveragePool', h), 0.02, u(0))
    w, scale = weights(10, 8)
    h = s.op('Gemm', s.op('Flatten', h), w, bias(f32(0.02 * scale)), transB=1)
    s.output(s.quantized(h, 0.03, u(128)), ['N', 10])
    return {f'batch_{n}': [s.normal(n, 3, 8, 8)] for n in (1, 2)}


def qdq_noisy(s):
    """Per-tensor asymmetric u8 weights, float bias, and Identity and Cast around Q and DQ."""
    x = s.input('x', ['N', 4, 6, 6])
    scale, zero = s.const(f32(0.03)), s.const(np.uint8(117))
    q = s.op('Identity', s.op('QuantizeLinear', s.op('Identity', x), scale, zero))
    h = s.op('Identity', s.op('DequantizeLinear', s.op('Cast', s.op('Cast', q, to=TensorProto.INT32), to=TensorProto.UINT8), scale, zero))
    w = s.op('Identity', s.const(s.rng.integers(0, 256, (6, 4, 3, 3)).astype(np.uint8)))
    w = s.op('Identity', s.op('DequantizeLinear', w, s.const(f32(0.005)), s.const(np.uint8(131))))
    h = s.op('Conv', h, w, s.op('Cast', s.weight(6, dtype=np.float64), to=TensorProto.FLOAT))
    h = s.op('Cast', s.op('Clip', h, s.const(f32(0)), s.const(f32(6))), to=TensorProto.FLOAT)
    s.output(s.quantized(s.op('Identity', h), 6 / 255, np.uint8(0)), ['N', 6, 4, 4])
    return {'batch_2': [s.normal(2, 4, 6, 6)]}


def small(network, **sizes):
    """A network of make_networks.py, so narrow that its file can be committed."""
    def fill(s):
        return {'batch_2': list(network(s, **sizes)(2).values())}
    return fill


NETWORKS = {
    'detector': small(make_networks.detector, side=64, widths=(4, 8, 8, 8, 16), depths=(1, 1, 1, 1), classes=3, bins=4),
    'unet': small(make_networks.unet, side=16, widths=(4, 8, 12)),
    'encoder': small(make_networks.encoder, words=40, length=6, width=16, heads=4, layers=2),
}
MODELS = {f.__name__: f for f in (
    mlp, mlp_external, mlp_matmul, cnn_residual, cnn_fixed_batch, mobile_block, fire_block, nhwc_edges, gelu_forms,
    layer_norm_forms, attention_block, lstm_step, to_clean, several_outputs, typed_data, half_weights, half_model,
    double_weights, odd_names, qdq_cnn, qdq_noisy)} | NETWORKS


def write(name):
    sketch = Sketch(name, make_networks.OPSET if name in NETWORKS else 13)
    cases = MODELS[name](sketch)
    model = sketch.model()
    save = {}
    if name == 'mlp_external':
        save = {'save_as_external_data': True, 'location': 'mlp_external.data', 'size_threshold': 64}
        (model_kit.ROOT / 'mlp_external.data').unlink(missing_ok=True)
    model_kit.write(name, model, cases, **save)
    path = model_kit.ROOT / f'{name}.onnx'
    if name == 'odd_names':
        path.write_bytes(path.read_bytes().replace(b'QQQQ', b'\xff\xfe\x80\x01'))
    return model_kit.describe(name, model)


if __name__ == '__main__':
    for chosen in sys.argv[1:] or MODELS:
        print(write(chosen))
