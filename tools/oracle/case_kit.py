"""One-operator test cases: a row of a table in, a directory with a model and its tensors out.

A row is `case(op, name, *inputs, opset=, outputs=, **attributes)`. An input is a spec that draws random values from a
generator seeded by the case's name, an array, `K(either)` for an initializer, or None for an absent optional one.
"""

import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from sketch import f32, i64, ir_version  # noqa: F401 (the tables of cases use them by this module)


@dataclass
class Draw:
    """Random values of a shape: uniform in [low, high), rounded down for integers."""
    shape: tuple
    low: float = -1.0
    high: float = 1.0
    dtype: type = np.float32

    def sample(self, rng):
        values = rng.random(self.shape) * (self.high - self.low) + self.low
        if np.dtype(self.dtype).kind in 'iu':
            values = np.floor(values)
        if np.dtype(self.dtype) == np.bool_:
            values = values > 0
        return values.astype(self.dtype)


def F(*shape, low=-1.0, high=1.0, dtype=np.float32):
    return Draw(shape, low, high, dtype)


def I(*shape, low=-9, high=10, dtype=np.int64):
    return Draw(shape, low, high, dtype)


def B(*shape):
    return Draw(shape, -1, 1, np.bool_)


@dataclass
class K:
    """An input which is an initializer of the model."""
    value: object

    def sample(self, rng):
        return self.value.sample(rng) if hasattr(self.value, 'sample') else self.value


@dataclass
class Case:
    op: str
    name: str
    inputs: tuple
    opset: int
    outputs: object           # how many, or for each whether it is wanted
    attributes: dict = field(default_factory=dict)


CASES = []


def case(op, name, *inputs, opset=13, outputs=1, **attributes):
    CASES.append(Case(op, name, inputs, opset, outputs, attributes))


def build(c):
    """The model of a case and the values of its graph inputs, in order."""
    rng = np.random.default_rng(zlib.crc32(f'{c.op}/{c.name}'.encode()))
    names, infos, initializers, feeds = [], [], [], []
    for i, spec in enumerate(c.inputs):
        if spec is None:
            names.append('')
            continue
        name = f'x{i}'
        names.append(name)
        value = np.asarray(spec.sample(rng) if hasattr(spec, 'sample') else spec)
        if isinstance(spec, K):
            initializers.append(numpy_helper.from_array(value, name))
        else:
            kind = helper.np_dtype_to_tensor_dtype(value.dtype)
            infos.append(helper.make_tensor_value_info(name, kind, value.shape))
            feeds.append(value)
    wanted = [True] * c.outputs if isinstance(c.outputs, int) else c.outputs
    results = [f'y{i}' if w else '' for i, w in enumerate(wanted)]
    attributes = {k: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
                  for k, v in c.attributes.items()}
    node = helper.make_node(c.op, names, results, name='node', **attributes)
    outputs = [onnx.ValueInfoProto(name=r) for r in results if r]
    graph = helper.make_graph([node], c.name, infos, outputs, initializers)
    model = helper.make_model(graph, producer_name='pare', opset_imports=[helper.make_opsetid('', c.opset)])
    model.ir_version = ir_version(c.opset)
    if c.opset == 7:  # before IR 4 an initializer had to be listed as an input too
        for t in initializers:
            graph.input.append(helper.make_tensor_value_info(t.name, t.data_type, t.dims))
        model.graph.CopyFrom(graph)
    return model, feeds


def declare_outputs(model, results):
    """Type and rank of each output, but no extents: those are for the reader to infer."""
    for v, result in zip(model.graph.output, results):
        kind = helper.np_dtype_to_tensor_dtype(result.dtype)
        v.CopyFrom(helper.make_tensor_value_info(v.name, kind, [None] * result.ndim))
    onnx.checker.check_model(model)


def run(model, feeds):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, feeds)))


def save_npy(path, value):
    buffer = io.BytesIO()
    np.save(buffer, np.array(value, order='C'), allow_pickle=False)
    path.write_bytes(buffer.getvalue())


def write(root, c):
    model, feeds = build(c)
    results = [np.asarray(r) for r in run(model, feeds)]
    declare_outputs(model, results)
    folder = Path(root) / c.op / c.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / 'model.onnx').write_bytes(model.SerializeToString())
    for kind, values in (('input', feeds), ('output', results)):
        for i, value in enumerate(values):
            save_npy(folder / f'{kind}_{i}.npy', value)
    return model, feeds, results
