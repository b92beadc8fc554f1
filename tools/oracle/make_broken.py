#!/usr/bin/env python3
"""Write tests/broken/: small files that are no proper models, each wrong in one way. All must give an error, none a crash.

    make_broken.py [--check]     `--check` lists the ones that ONNX Runtime accepts all the same
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2] / 'tests' / 'broken'
FLOAT = TensorProto.FLOAT


def weights(*shape, name='w'):
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 8
    return numpy_helper.from_array(values, name)


def model(nodes, initializers=(), x=(2, 3), outputs=('y',), opset=13, output_type=FLOAT):
    graph = helper.make_graph(
        nodes, 'g', [helper.make_tensor_value_info('x', FLOAT, x)],
        [helper.make_tensor_value_info(o, output_type, None) for o in outputs], list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)])
    made.ir_version = 8
    return made


def one(op, *inputs, weights=(), x=(2, 3), **attributes):
    """A model of one node that reads x and the given initializers."""
    named = list(inputs) or ['x', *(w.name for w in weights)]
    return model([helper.make_node(op, named, ['y'], name='node', **attributes)], weights, x)


def good():
    return one('MatMul', weights=[weights(3, 4)])


def changed(change):
    m = good()
    change(m)
    return m


def tensor(change):
    return changed(lambda m: change(m.graph.initializer[0]))


def external(location, offset=0, length=48):
    def change(t):
        t.ClearField('raw_data')
        t.data_location = TensorProto.EXTERNAL
        for key, value in (('location', location), ('offset', offset), ('length', length)):
            t.external_data.add(key=key, value=str(value))
    return tensor(change)


def set_dims(*dims):
    def change(t):
        del t.dims[:]
        t.dims.extend(dims)
    return tensor(change)


def varint(number):
    out = b''
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def deep_bytes(depth):
    """A graph in an attribute of a node in a graph …, `depth` times, written byte by byte: generators give up before."""
    graph = b''
    for _ in range(depth):
        attribute = b'\x32' + varint(len(graph)) + graph                  # AttributeProto.g = 6
        node = b'\x2a' + varint(len(attribute)) + attribute               # NodeProto.attribute = 5
        graph = b'\x0a' + varint(len(node)) + node                        # GraphProto.node = 1
    return b'\x08\x08' + b'\x3a' + varint(len(graph)) + graph + b'\x42\x02\x10\x0d'


def nodes(*rows, outputs=('y',), initializers=()):
    return model([helper.make_node(op, ins, outs, name=f'n{i}') for i, (op, ins, outs) in enumerate(rows)],
                 initializers, outputs=outputs)


def ints(values, name='i'):
    return numpy_helper.from_array(np.array(values, np.int64), name)


GOOD = good().SerializeToString()
IMAGE = (1, 3, 4, 4)

# name: (what is wrong, the bytes or the model)
BROKEN = {
    'empty': ('no bytes at all', b''),
    'text': ('a text file', b'This is not a model.\n'),
    'zeros': ('only zero bytes', bytes(64)),
    'html': ('a web page saved under the name of a model', b'<!DOCTYPE html><html><body>404</body></html>'),
    'truncated_header': ('cut after ten bytes', GOOD[:10]),
    'truncated_half': ('cut in the middle', GOOD[:len(GOOD) // 2]),
    'truncated_last_byte': ('the last byte is missing', GOOD[:-1]),
    'endless_varint': ('a number that never ends', b'\x08' + b'\xff' * 20),
    'length_past_end': ('a field longer than the file', b'\x08\x08\x3a\xff\xff\xff\xff\x07' + b'abc'),
    'length_64_bit': ('a field of nearly 2^63 bytes', b'\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f' + b'abc'),
    'bad_wire_type': ('the graph is a number', b'\x08\x08\x38\x05'),
    'group_wire_type': ('a start-group tag, long abolished', b'\x08\x08\x3b\x00'),
    'field_number_zero': ('a tag with field number 0', b'\x00\x01' + GOOD),
    'no_graph': ('a model without a graph', changed(lambda m: m.ClearField('graph'))),
    'no_opset': ('no operator set is named', changed(lambda m: m.ClearField('opset_import'))),
    'opset_too_new': ('operator set 999', changed(lambda m: setattr(m.opset_import[0], 'version', 999))),
    'opset_negative': ('operator set -3', changed(lambda m: setattr(m.opset_import[0], 'version', -3))),
    'no_outputs': ('a graph without outputs', changed(lambda m: m.graph.ClearField('output'))),
    'unknown_operator': ('there is no operator Frobnicate', one('Frobnicate', 'x')),
    'unknown_domain': ('an operator of a domain nobody knows', one('Relu', 'x', domain='org.example.nowhere')),
    'no_operator_name': ('a node without an operator', changed(lambda m: m.graph.node[0].ClearField('op_type'))),
    'cycle_of_two': ('two nodes feed each other', nodes(('Add', ['x', 'b'], ['a']), ('Relu', ['a'], ['b']), ('Relu', ['b'], ['y']))),
    'cycle_of_one': ('a node feeds itself', nodes(('Add', ['x', 'y'], ['y']))),
    'unknown_input': ('a node reads a value that nothing makes', one('Add', 'x', 'nowhere')),
    'unknown_output': ('the graph gives out a value that nothing makes', nodes(('Relu', ['x'], ['z']))),
    'made_twice': ('two nodes make the same value', nodes(('Relu', ['x'], ['y']), ('Neg', ['x'], ['y']))),
    'output_is_input_name': ("a node makes the graph's input", nodes(('Relu', ['x'], ['x']), ('Relu', ['x'], ['y']))),
    'initializer_twice': ('two initializers of one name', one('MatMul', 'x', 'w', weights=[weights(3, 4), weights(3, 4)])),
    'huge_dimension': ('weights of 2^40 rows in 48 bytes', set_dims(2**40, 4)),
    'overflowing_dimensions': ('extents whose product is 0 modulo 2^64', set_dims(2**32, 2**32)),
    'negative_dimension': ('weights of -3 rows', set_dims(-3, -4)),
    'raw_data_short': ('weights of 44 bytes where 48 are meant', tensor(lambda t: setattr(t, 'raw_data', t.raw_data[:-4]))),
    'raw_data_long': ('weights of 52 bytes where 48 are meant', tensor(lambda t: setattr(t, 'raw_data', t.raw_data + b'abcd'))),
    'raw_data_odd': ('weights of 47 bytes', tensor(lambda t: setattr(t, 'raw_data', t.raw_data[:-1]))),
    'no_data': ('weights without data', tensor(lambda t: t.ClearField('raw_data'))),
    'type_unknown': ('weights of type 99', tensor(lambda t: setattr(t, 'data_type', 99))),
    'type_undefined': ('weights of type 0', tensor(lambda t: setattr(t, 'data_type', 0))),
    'type_mismatch': ('int32 weights in a product with float32', tensor(lambda t: setattr(t, 'data_type', TensorProto.INT32))),
    'external_missing': ('external data in a file that is not there', external('no_such_file.data')),
    'external_past_end': ('external data past the end of its file', external('external.data', offset=1000)),
    'external_too_short': ('external data shorter than the weights', external('external.data', length=16)),
    'external_negative_offset': ('external data at offset -8', external('external.data', offset=-8)),
    'external_bad_number': ('external data at offset "many"', external('external.data', offset='many')),
    'external_climbs': ("external data outside of the model's folder", external('../../../../../../../etc/hostname')),
    'external_absolute': ('external data at an absolute path', external('/etc/hostname')),
    'external_folder': ('external data in a folder', external('.')),
    'external_no_location': ('external data without a location', external('')),
    'attribute_type': ('an axis that is a text', one('Softmax', 'x', axis='one')),
    'attribute_missing': ('Concat without an axis', one('Concat', 'x', 'x')),
    'attribute_unknown': ('an attribute that the operator does not have', one('Relu', 'x', slope=0.5)),
    'axis_out_of_range': ('axis 7 of two', one('Softmax', 'x', axis=7)),
    'too_few_inputs': ('Add with one input', one('Add', 'x')),
    'absent_in_concat': ('Concat of x and nothing', one('Concat', 'x', '', axis=0)),
    'absent_first': ('Max of nothing and x', nodes(('Max', ['', 'x'], ['b']), ('Relu', ['b'], ['y']))),
    'reduction_of_nothing': ('a reduction without its operand', nodes(('ReduceL1', [''], ['z']), ('Relu', ['x'], ['y']), ('Add', ['y', 'z'], ['w']), outputs=('w',))),
    'mixed_types': ('float64 added to a float32 product', nodes(
        ('MatMul', ['x', 'w'], ['a']), ('Add', ['a', 'b'], ['y']),
        initializers=[weights(3, 4), numpy_helper.from_array(np.ones(4, np.float64), 'b')])),
    'too_many_inputs': ('Relu with two inputs', one('Relu', 'x', 'x')),
    'matmul_shapes': ('[2,3] times [4,4]', one('MatMul', weights=[weights(4, 4)])),
    'add_shapes': ('[2,3] plus [4]', one('Add', weights=[weights(4)])),
    'concat_shapes': ('[2,3] beside [4,4]', one('Concat', weights=[weights(4, 4)], axis=1)),
    'gemm_rank': ('Gemm of a three-dimensional input', one('Gemm', weights=[weights(3, 4)], x=(2, 2, 3))),
    'conv_channels': ('weights for 4 channels, an input of 3', one('Conv', weights=[weights(2, 4, 3, 3)], x=IMAGE)),
    'conv_groups': ('4 outputs in 3 groups', one('Conv', weights=[weights(4, 1, 3, 3)], x=IMAGE, group=3)),
    'conv_group_zero': ('0 groups', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, group=0)),
    'conv_stride_zero': ('stride 0', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, strides=[0, 0])),
    'conv_dilation_huge': ('dilation 2^40', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, dilations=[2**40, 2**40])),
    'conv_pads_huge': ('pads of 2^62', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, pads=[2**62] * 4)),
    'conv_pads_count': ('three pads for two axes', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, pads=[1, 1, 1])),
    'conv_kernel_larger': ('a kernel larger than the padded input', one('Conv', weights=[weights(2, 3, 7, 7)], x=IMAGE)),
    'conv_bias': ('a bias of 5 for 2 channels', one('Conv', weights=[weights(2, 3, 3, 3), weights(5, name='b')], x=IMAGE)),
    'pool_kernel_zero': ('a pooling kernel of 0', one('MaxPool', 'x', x=IMAGE, kernel_shape=[0, 0])),
    'pool_kernel_negative': ('a pooling kernel of -2', one('MaxPool', 'x', x=IMAGE, kernel_shape=[-2, -2])),
    'batch_norm_sizes': ('statistics of 4 channels, an input of 3',
                         one('BatchNormalization', 'x', *['w'] * 4, weights=[weights(4)], x=IMAGE)),
    'reshape_count': ('6 values into [4,4]', one('Reshape', weights=[ints([4, 4])])),
    'reshape_two_unknown': ('a shape with two -1', one('Reshape', weights=[ints([-1, -1])])),
    'reshape_negative': ('a shape with -5', one('Reshape', weights=[ints([-5, 2])])),
    'transpose_perm': ('an order that names an axis twice', one('Transpose', 'x', perm=[0, 0])),
    'squeeze_not_one': ('an axis of 3 is squeezed away', one('Squeeze', weights=[ints([1])])),
    'split_sum': ('parts of 1 + 1 out of 3', model([helper.make_node('Split', ['x', 'i'], ['y', 'z'], axis=1)], [ints([1, 1])])),
    'gather_index': ('element 9 of 2', one('Gather', weights=[ints([9])])),
    'slice_step_zero': ('a slice with step 0', one('Slice', 'x', 's', 'e', 'a', 't', weights=[
        ints([0], 's'), ints([2], 'e'), ints([0], 'a'), ints([0], 't')])),
    'expand_huge': ('expanded to 2^50 rows', one('Expand', weights=[ints([2**50, 2, 3])])),
    'tile_negative': ('repeated -1 times', one('Tile', weights=[ints([-1, 1])])),
    'pad_below_zero': ('more cut off than there is', one('Pad', weights=[ints([-5, 0, 0, 0])])),
    'constant_of_shape_huge': ('a constant of 2^60 elements',
                               one('ConstantOfShape', 'i', weights=[ints([2**30, 2**30])])),
    'cast_unknown': ('a cast to type 77', one('Cast', 'x', to=77)),
    'lstm_hidden': ('weights of hidden size 5 where the attribute says 7',
                    one('LSTM', 'x', 'w', 'r', weights=[weights(1, 20, 3), weights(1, 20, 5, name='r')], x=(4, 2, 3), hidden_size=7)),
    'quantize_zero_point_type': ('an int32 zero point', one('QuantizeLinear', 'x', 'w', 'z', weights=[
        weights(), numpy_helper.from_array(np.int32(3), 'z')])),
    'sparse_weights': ('sparse initializers',
                       changed(lambda m: (m.graph.sparse_initializer.add(dims=[3, 4]), m.graph.initializer.pop()))),
    'deep_nesting': ('20,000 graphs in each other', deep_bytes(20000)),
}


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    for old in ROOT.glob('*.onnx'):
        old.unlink()
    (ROOT / 'external.data').write_bytes(bytes(48))
    lines = ['file\twrong']
    for name, (wrong, content) in BROKEN.items():
        data = content if isinstance(content, bytes) else content.SerializeToString()
        (ROOT / f'{name}.onnx').write_bytes(data)
        lines.append(f'{name}.onnx\t{wrong}')
    (ROOT / 'index.tsv').write_text('\n'.join(lines) + '\n')
    print(f'{len(BROKEN)} files, {sum(f.stat().st_size for f in ROOT.iterdir()):,} bytes')
    if '--check' in sys.argv:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        for name in BROKEN:
            try:
                session = ort.InferenceSession(str(ROOT / f'{name}.onnx'), options, providers=['CPUExecutionProvider'])
                session.run(None, {i.name: np.ones([d if isinstance(d, int) else 1 for d in i.shape], np.float32)
                                   for i in session.get_inputs()})
                print(f'ONNX Runtime accepts {name}')
            except Exception:
                pass


if __name__ == '__main__':
    main()
