"""A graph under construction, for the scripts that write models. Needs onnx and numpy."""

import zlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper

# The IR version that appeared with an opset or before it: old files keep old headers.
IR_VERSIONS = [(7, 3), (9, 4), (10, 5), (11, 6), (13, 7), (17, 8), (19, 9), (21, 10)]


def ir_version(opset):
    return max(ir for since, ir in IR_VERSIONS if opset >= since)


def f32(values):
    return np.array(values, np.float32)


def i64(values):
    return np.array(values, np.int64)


class Sketch:
    """A graph under construction. Values are names; `op` returns the name of a node's (first) output."""

    def __init__(self, name, opset=13, seed=0):
        self.rng = np.random.default_rng([zlib.crc32(name.encode()), seed] if seed else zlib.crc32(name.encode()))
        self.name, self.opset, self.count = name, opset, 0
        self.nodes, self.inputs, self.outputs, self.initializers = [], [], [], []

    def fresh(self, stem):
        self.count += 1
        return f'{stem}_{self.count}'

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def const(self, value, name=None):
        name = name or self.fresh('c')
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, *shape, scale=None, dtype=np.float32):
        scale = scale or 1.5 / np.sqrt(max(1, np.prod(shape[1:])))
        return self.const((self.rng.standard_normal(shape) * scale).astype(dtype))

    def op(self, kind, *inputs, name=None, results=1, **attributes):
        name = name or self.fresh(kind.lower())
        names = [name] if results == 1 else [f'{name}_{i}' for i in range(results)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=self.fresh('node'), **attributes))
        return name if results == 1 else names

    def output(self, value, shape, kind=TensorProto.FLOAT):
        self.outputs.append(helper.make_tensor_value_info(value, kind, shape))

    def normal(self, *shape, dtype=np.float32):
        return self.rng.standard_normal(shape).astype(dtype)

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.initializers)
        model = helper.make_model(graph, producer_name='pare', opset_imports=[helper.make_opsetid('', self.opset)])
        model.ir_version = ir_version(self.opset)
        return model

    # Composites
    def conv(self, x, channels_in, channels_out, size=3, group=1, bias=True, **attributes):
        extra = [self.weight(channels_out, scale=0.2)] if bias else []
        attributes.setdefault('pads', [size // 2] * 4)
        return self.op('Conv', x, self.weight(channels_out, channels_in // group, size, size), *extra, group=group, **attributes)

    def batch_norm(self, x, channels):
        shift = [self.const((1 + 0.3 * self.normal(channels))), self.weight(channels, scale=0.2), self.weight(channels, scale=0.2)]
        return self.op('BatchNormalization', x, *shift, self.const(np.exp(0.5 * self.normal(channels))))

    def quantized(self, x, scale, zero):
        """x → Q → DQ."""
        s, z = self.const(f32(scale)), self.const(zero)
        return self.op('DequantizeLinear', self.op('QuantizeLinear', x, s, z), s, z)
