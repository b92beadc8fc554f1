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
TYPES = {'tensor(float)': np.float32, 'tensor(int64)': np.int64, 'tensor(int32)': np.int32, 'tensor(uint8)': np.uint8}


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


def reading(inputs, nodes, initializers=(), opset=13, output_type=FLOAT):
    """A model of these nodes that gives y and reads `inputs`: name to (type, shape)."""
    made = model(nodes, initializers, opset=opset, output_type=output_type)
    del made.graph.input[:]
    made.graph.input.extend(helper.make_tensor_value_info(name, *of) for name, of in inputs.items())
    return made


def node(op, inputs, outputs=('y',), **attributes):
    return helper.make_node(op, inputs, outputs, name='node', **attributes)


def array(values, dtype, name):
    return numpy_helper.from_array(np.array(values, dtype), name)


def qlinear_conv(**others):
    """QLinearConv of 3 channels to 2; `others` replaces operands by (values, type)."""
    operands = {'x_scale': (0.1, np.float32), 'x_zero': (3, np.uint8), 'w': (np.ones((2, 3, 1, 1)), np.int8),
                'w_scale': ([0.1, 0.2], np.float32), 'w_zero': (0, np.int8), 'y_scale': (0.1, np.float32),
                'y_zero': (3, np.uint8), 'bias': ([1, 2], np.int32)} | others
    return reading({'x': (TensorProto.UINT8, IMAGE)}, [node('QLinearConv', ['x', *operands])],
                   [array(*of, name) for name, of in operands.items()], output_type=TensorProto.UINT8)


def qlinear_matmul(**others):
    operands = {'a_scale': (0.1, np.float32), 'a_zero': (3, np.uint8), 'b': (np.ones((3, 4)), np.int8),
                'b_scale': (0.1, np.float32), 'b_zero': (0, np.int8), 'y_scale': (0.1, np.float32),
                'y_zero': (3, np.uint8)} | others
    return reading({'x': (TensorProto.UINT8, (2, 3))}, [node('QLinearMatMul', ['x', *operands])],
                   [array(*of, name) for name, of in operands.items()], output_type=TensorProto.UINT8)


def dequantize(x_type, *initializers):
    return reading({'x': (x_type, (2, 3))}, [node('DequantizeLinear', ['x', *(i.name for i in initializers)], axis=1)], initializers)


def long_shape(op, *before):
    """An operator whose shape has as many elements as a model of a few bytes may claim."""
    return reading({'x': (FLOAT, (2, 3)), 's': (TensorProto.INT64, (10**9,))},
                   [node(op, [*before, 's'], ['z']), helper.make_node('Relu', ['x'], ['y'])])


def ints(values, name='i'):
    return numpy_helper.from_array(np.array(values, np.int64), name)


GOOD = good().SerializeToString()
IMAGE = (1, 3, 4, 4)

# name: (what is wrong, words of the error that says so, the bytes or the model); no words where the file is harmless all the same
BROKEN = {
    'empty': ('no bytes at all', 'it holds no graph', b''),
    'text': ('a text file', 'is a text, and no ONNX file', b'This is not a model.\n'),
    'zeros': ('only zero bytes', 'its ModelProto is not readable as protobuf', bytes(64)),
    'html': ('a web page saved under the name of a model', 'is a text, and no ONNX file', b'<!DOCTYPE html><html><body>404</body></html>'),
    'truncated_header': ('cut after ten bytes', 'not readable as protobuf', GOOD[:10]),
    'truncated_half': ('cut in the middle', 'not readable as protobuf', GOOD[:len(GOOD) // 2]),
    'truncated_last_byte': ('the last byte is missing', 'not readable as protobuf', GOOD[:-1]),
    'endless_varint': ('a number that never ends', 'not readable as protobuf', b'\x08' + b'\xff' * 20),
    'length_past_end': ('a field longer than the file', 'not readable as protobuf', b'\x08\x08\x3a\xff\xff\xff\xff\x07' + b'abc'),
    'length_64_bit': ('a field of nearly 2^63 bytes', 'not readable as protobuf', b'\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f' + b'abc'),
    'bad_wire_type': ('the graph is a number', 'it holds no graph', b'\x08\x08\x38\x05'),
    'group_wire_type': ('a start-group tag, long abolished', 'not readable as protobuf', b'\x08\x08\x3b\x00'),
    'field_number_zero': ('a tag with field number 0', 'not readable as protobuf', b'\x00\x01' + GOOD),
    'no_graph': ('a model without a graph', 'it holds no graph', changed(lambda m: m.ClearField('graph'))),
    'no_opset': ('no operator set is named', 'which opset its operators are of', changed(lambda m: m.ClearField('opset_import'))),
    'opset_too_new': ('operator set 999', 'it needs opset 999', changed(lambda m: setattr(m.opset_import[0], 'version', 999))),
    'opset_negative': ('operator set -3', 'it needs opset -3', changed(lambda m: setattr(m.opset_import[0], 'version', -3))),
    'no_outputs': ('a graph without outputs', 'the graph has no outputs', changed(lambda m: m.graph.ClearField('output'))),
    'unknown_operator': ('there is no operator Frobnicate', 'node node (Frobnicate): pare has no such operator', one('Frobnicate', 'x')),
    'unknown_domain': ('an operator of a domain nobody knows', '(org.example.nowhere.Relu): pare has no such operator', one('Relu', 'x', domain='org.example.nowhere')),
    'no_operator_name': ('a node without an operator', "it doesn't say which operator it is", changed(lambda m: m.graph.node[0].ClearField('op_type'))),
    'cycle_of_two': ('two nodes feed each other', '(Add): it waits for a result of its own', nodes(('Add', ['x', 'b'], ['a']), ('Relu', ['a'], ['b']), ('Relu', ['b'], ['y']))),
    'cycle_of_one': ('a node feeds itself', '(Add): it waits for a result of its own', nodes(('Add', ['x', 'y'], ['y']))),
    'unknown_input': ('a node reads a value that nothing makes', '(Add): it reads nowhere, which no node', one('Add', 'x', 'nowhere')),
    'unknown_output': ('the graph gives out a value that nothing makes', "the graph's output y is given by no node", nodes(('Relu', ['x'], ['z']))),
    'made_twice': ('two nodes make the same value', 'n1 (Neg): the value y is given twice', nodes(('Relu', ['x'], ['y']), ('Neg', ['x'], ['y']))),
    'output_is_input_name': ("a node makes the graph's input", 'n0 (Relu): the value x is given twice', nodes(('Relu', ['x'], ['x']), ('Relu', ['x'], ['y']))),
    'initializer_twice': ('two initializers of one name', 'the value w is given twice', one('MatMul', 'x', 'w', weights=[weights(3, 4), weights(3, 4)])),
    'huge_dimension': ('weights of 2^40 rows in 48 bytes', 'tensor w: its shape [1099511627776,4] of f32 needs', set_dims(2**40, 4)),
    'overflowing_dimensions': ('extents whose product is 0 modulo 2^64', 'has more elements than memory could hold', set_dims(2**32, 2**32)),
    'negative_dimension': ('weights of -3 rows', '[-3,-4] has a negative dimension', set_dims(-3, -4)),
    'raw_data_short': ('weights of 44 bytes where 48 are meant', 'needs 12 elements, but there are 44 bytes', tensor(lambda t: setattr(t, 'raw_data', t.raw_data[:-4]))),
    'raw_data_long': ('weights of 52 bytes where 48 are meant', 'needs 12 elements, but there are 52 bytes', tensor(lambda t: setattr(t, 'raw_data', t.raw_data + b'abcd'))),
    'raw_data_odd': ('weights of 47 bytes', 'needs 12 elements, but there are 47 bytes', tensor(lambda t: setattr(t, 'raw_data', t.raw_data[:-1]))),
    'no_data': ('weights without data', 'needs 12 elements, but there are 0', tensor(lambda t: t.ClearField('raw_data'))),
    'type_unknown': ('weights of type 99', 'its element type 99 is none of ONNX', tensor(lambda t: setattr(t, 'data_type', 99))),
    'type_undefined': ('weights of type 0', 'its element type 0 is none of ONNX', tensor(lambda t: setattr(t, 'data_type', 0))),
    'type_mismatch': ('int32 weights in a product with float32', '(MatMul): its input "w" is i32 where f32 is needed', tensor(lambda t: setattr(t, 'data_type', TensorProto.INT32))),
    'external_missing': ('external data in a file that is not there', 'no_such_file.data does not exist', external('no_such_file.data')),
    'external_past_end': ('external data past the end of its file', 'at bytes 1000 to 1048 of external.data, which has 48', external('external.data', offset=1000)),
    'external_too_short': ('external data shorter than the weights', 'but its external data has 16 bytes', external('external.data', length=16)),
    'external_negative_offset': ('external data at offset -8', 'the offset of its external data is "-8"', external('external.data', offset=-8)),
    'external_bad_number': ('external data at offset "many"', 'the offset of its external data is "many"', external('external.data', offset='many')),
    'external_climbs': ("external data outside of the model's folder", "etc/hostname\", outside the model's folder", external('../../../../../../../etc/hostname')),
    'external_absolute': ('external data at an absolute path', "\"/etc/hostname\", outside the model's folder", external('/etc/hostname')),
    'external_folder': ('external data in a folder', 'is a folder, not a file', external('.')),
    'external_no_location': ('external data without a location', "said to be at \"\", outside the model's folder", external('')),
    'attribute_type': ('an axis that is a text', '(Softmax): attribute axis: it has another type', one('Softmax', 'x', axis='one')),
    'attribute_missing': ('Concat without an axis', '(Concat): its attribute axis is missing', one('Concat', 'x', 'x')),
    'attribute_unknown': ('an attribute that the operator does not have', '', one('Relu', 'x', slope=0.5)),
    'axis_out_of_range': ('axis 7 of two', '(Softmax): axis 7 is outside [-2, 1]', one('Softmax', 'x', axis=7)),
    'too_few_inputs': ('Add with one input', '(Add): the input "b" is missing', one('Add', 'x')),
    'absent_in_concat': ('Concat of x and nothing', '(Concat): its input 1 is missing', one('Concat', 'x', '', axis=0)),
    'absent_first': ('Max of nothing and x', '(Max): its input 0 is missing', nodes(('Max', ['', 'x'], ['b']), ('Relu', ['b'], ['y']))),
    'reduction_of_nothing': ('a reduction without its operand', '(ReduceL1): the input "x" is missing', nodes(('ReduceL1', [''], ['z']), ('Relu', ['x'], ['y']), ('Add', ['y', 'z'], ['w']), outputs=('w',))),
    'mixed_types': ('float64 added to a float32 product', 'its input "b" is f64 where f32 is needed', nodes(
        ('MatMul', ['x', 'w'], ['a']), ('Add', ['a', 'b'], ['y']),
        initializers=[weights(3, 4), numpy_helper.from_array(np.ones(4, np.float64), 'b')])),
    'too_many_inputs': ('Relu with two inputs', '(Relu): it has 2 inputs, and the operator only 1', one('Relu', 'x', 'x')),
    'matmul_shapes': ('[2,3] times [4,4]', '(MatMul): the inner dimensions 3 and 4 are not the same', one('MatMul', weights=[weights(4, 4)])),
    'add_shapes': ('[2,3] plus [4]', '(Add): the dimensions 3 and 4 do not broadcast', one('Add', weights=[weights(4)])),
    'concat_shapes': ('[2,3] beside [4,4]', '(Concat): its inputs have 2 and 4 along axis 0', one('Concat', weights=[weights(4, 4)], axis=1)),
    'gemm_rank': ('Gemm of a three-dimensional input', '(Gemm): a and b must have two dimensions', one('Gemm', weights=[weights(3, 4)], x=(2, 2, 3))),
    'conv_channels': ('weights for 4 channels, an input of 3', '(Conv): its weights are for 4 channels a group', one('Conv', weights=[weights(2, 4, 3, 3)], x=IMAGE)),
    'conv_groups': ('4 outputs in 3 groups', '(Conv): group is 3 with 4 output channels', one('Conv', weights=[weights(4, 1, 3, 3)], x=IMAGE, group=3)),
    'conv_group_zero': ('0 groups', '(Conv): group is 0', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, group=0)),
    'conv_stride_zero': ('stride 0', '(Conv): strides holds 0', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, strides=[0, 0])),
    'conv_dilation_huge': ('dilation 2^40', '(Conv): dilations holds 1099511627776', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, dilations=[2**40, 2**40])),
    'conv_pads_huge': ('pads of 2^62', '(Conv): pads holds 4611686018427387904', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, pads=[2**62] * 4)),
    'conv_pads_count': ('three pads for two axes', '(Conv): pads has 3 elements instead of 4', one('Conv', weights=[weights(2, 3, 3, 3)], x=IMAGE, pads=[1, 1, 1])),
    'conv_kernel_larger': ('a kernel larger than the padded input', '(Conv): its window of 7 is larger than the padded input of 4', one('Conv', weights=[weights(2, 3, 7, 7)], x=IMAGE)),
    'conv_bias': ('a bias of 5 for 2 channels', '(Conv): its bias is f32[5], and it has 2 output channels', one('Conv', weights=[weights(2, 3, 3, 3), weights(5, name='b')], x=IMAGE)),
    'pool_kernel_zero': ('a pooling kernel of 0', '(MaxPool): kernel_shape holds 0', one('MaxPool', 'x', x=IMAGE, kernel_shape=[0, 0])),
    'pool_kernel_negative': ('a pooling kernel of -2', '(MaxPool): kernel_shape holds -2', one('MaxPool', 'x', x=IMAGE, kernel_shape=[-2, -2])),
    'batch_norm_sizes': ('statistics of 4 channels, an input of 3', '(BatchNormalization): an input has the shape [4] instead of [3]',
                         one('BatchNormalization', 'x', *['w'] * 4, weights=[weights(4)], x=IMAGE)),
    'reshape_count': ('6 values into [4,4]', "(Reshape): can't reshape [2,3] to [4,4]", one('Reshape', weights=[ints([4, 4])])),
    'reshape_two_unknown': ('a shape with two -1', '(Reshape): the target shape has more than one -1', one('Reshape', weights=[ints([-1, -1])])),
    'reshape_negative': ('a shape with -5', '(Reshape): the target shape holds -5', one('Reshape', weights=[ints([-5, 2])])),
    'transpose_perm': ('an order that names an axis twice', '(Transpose): perm has axis 0 twice', one('Transpose', 'x', perm=[0, 0])),
    'squeeze_not_one': ('an axis of 3 is squeezed away', '(Squeeze): axis 1 has the size 3, not 1', one('Squeeze', weights=[ints([1])])),
    'split_sum': ('parts of 1 + 1 out of 3', '(Split): its sizes make 2 of 3', model([helper.make_node('Split', ['x', 'i'], ['y', 'z'], axis=1)], [ints([1, 1])])),
    'gather_index': ('element 9 of 2', '(Gather): an index is out of range (9)', one('Gather', weights=[ints([9])])),
    'slice_step_zero': ('a slice with step 0', '(Slice): a step is 0', one('Slice', 'x', 's', 'e', 'a', 't', weights=[
        ints([0], 's'), ints([2], 'e'), ints([0], 'a'), ints([0], 't')])),
    'expand_huge': ('expanded to 2^50 rows', 'no memory for a tensor of shape [1125899906842624,2,3]', one('Expand', weights=[ints([2**50, 2, 3])])),
    'tile_negative': ('repeated -1 times', '(Tile): a repeat is -1', one('Tile', weights=[ints([-1, 1])])),
    'pad_below_zero': ('more cut off than there is', '(Pad): axis 0 of size 2 is padded by -5', one('Pad', weights=[ints([-5, 0, 0, 0])])),
    'constant_of_shape_huge': ('a constant of 2^60 elements', '(ConstantOfShape): a tensor of shape [1073741824,1073741824] is too large',
                               one('ConstantOfShape', 'i', weights=[ints([2**30, 2**30])])),
    'cast_unknown': ('a cast to type 77', '(Cast): a cast to the ONNX type 77', one('Cast', 'x', to=77)),
    'lstm_hidden': ('weights of hidden size 5 where the attribute says 7', '(LSTM): hidden_size is 7, and r is for 5',
                    one('LSTM', 'x', 'w', 'r', weights=[weights(1, 20, 3), weights(1, 20, 5, name='r')], x=(4, 2, 3), hidden_size=7)),
    'quantize_zero_point_type': ('an int32 zero point', '(QuantizeLinear): its zero point is i32', one('QuantizeLinear', 'x', 'w', 'z', weights=[
        weights(), numpy_helper.from_array(np.int32(3), 'z')])),
    'split_no_outputs': ('Split without outputs', '(Split): it has no outputs',
                         model([node('Split', ['x'], []), helper.make_node('Relu', ['x'], ['y'])])),
    'slice_counts': ('a slice by two starts, two computed ends, and one step', '(Slice): starts, ends, axes and steps have different counts',
                     reading({'x': (FLOAT, (2, 3)), 'e': (TensorProto.INT64, (2,))}, [node('Slice', ['x', 's', 'e', 'a', 't'])],
                             [ints([0, 0], 's'), ints([0, 1], 'a'), ints([1], 't')])),
    'slice_starts_huge': ('a slice by 2^40 computed starts', '(Slice): starts, ends, axes and steps have different counts',
                          reading({'x': (FLOAT, (2, 3)), 's': (TensorProto.INT64, (2**40,))}, [node('Slice', ['x', 's', 's'])])),
    'dequantize_zero_count': ('three scales and one zero point', '(DequantizeLinear): its zero point is u8[1], and u8[3] is meant',
                              dequantize(TensorProto.UINT8, weights(3), array([7], np.uint8, 'z'))),
    'dequantize_zero_type': ('uint8 zero points of int32', '(DequantizeLinear): its zero point is u8[3], and i32[3] is meant',
                             dequantize(TensorProto.INT32, weights(3), array([7, 7, 7], np.uint8, 'z'))),
    'quantize_zero_count': ('three scales and one zero point', '(QuantizeLinear): its zero point is u8[1], and u8[3] is meant',
                            one('QuantizeLinear', 'x', 'w', 'z', weights=[weights(3), array([7], np.uint8, 'z')], axis=1)),
    'qlinear_conv_bias': ('a bias of 1 for 2 channels', '(QLinearConv): its bias is i32[1], and it has 2 output channels', qlinear_conv(bias=([1], np.int32))),
    'qlinear_conv_bias_type': ('a bias of bytes', '(QLinearConv): its input "bias" is i8[2], and one i32 or 2 is meant', qlinear_conv(bias=([1, 2], np.int8))),
    'qlinear_conv_scale_type': ('scales of the weights that are bytes', 'its input "w_scale" is i8[2], and one f32 or 2 is meant', qlinear_conv(w_scale=([1, 2], np.int8))),
    'qlinear_conv_x_scale_type': ('a scale of x that is a byte', 'its input "x_scale" is i8[], and one f32 is meant', qlinear_conv(x_scale=(1, np.int8))),
    'qlinear_conv_no_zero': ('a zero point without elements', 'its input "y_zero" is u8[0], and one u8 is meant', qlinear_conv(y_zero=([], np.uint8))),
    'qlinear_conv_zero_type': ('an int32 zero point of bytes', 'its input "x_zero" is i32[], and one u8 is meant', qlinear_conv(x_zero=(3, np.int32))),
    'qlinear_matmul_scale_type': ('scales of the columns that are bytes', '(QLinearMatMul): its input "b_scale" is i8[4], and one f32 or 4 is meant',
                                  qlinear_matmul(b_scale=([1, 1, 1, 1], np.int8))),
    'qlinear_matmul_y_scale': ('a scale of y without elements', '(QLinearMatMul): its input "y_scale" is f32[0], and one f32 is meant',
                               qlinear_matmul(y_scale=([], np.float32))),
    'range_types': ('a range from int64 on in int8 steps', '(Range): its input "d" is i8[], and one i64 is meant',
                    model([node('Range', ['s', 'l', 'd'], ['r']), helper.make_node('Gather', ['x', 'r'], ['y'], axis=1)],
                          [array(0, np.int64, 's'), array(3, np.int64, 'l'), array(1, np.int8, 'd')])),
    'resize_sizes': ('two sizes for four axes', '(Resize): sizes has 2 elements for 4 axes',
                     reading({'x': (FLOAT, IMAGE)}, [node('Resize', ['x', '', '', 's'], keep_aspect_ratio_policy='not_larger')],
                             [ints([[8, 8]], 's')], opset=18)),
    'reshape_long': ('a shape of 10^9 computed sizes', '(Reshape): the shape asked for has 1000000000 axes', long_shape('Reshape', 'x')),
    'expand_long': ('expanded to a shape of 10^9 computed sizes', '(Expand): the shape asked for has 1000000000 axes', long_shape('Expand', 'x')),
    'constant_of_shape_long': ('a constant of a shape of 10^9 computed sizes', '(ConstantOfShape): the shape asked for has 1000000000 axes',
                               long_shape('ConstantOfShape')),
    'unsqueeze_rank': ('a tensor of 65 axes', '(Unsqueeze): its output has 65 axes, and no tensor may have more than 64',
                       model([node('Unsqueeze', ['x', 'i'], ['z']), node('Squeeze', ['z', 'i'])], [ints(list(range(63)))])),
    'pad_no_value': ('padded by a value without elements', '(Pad): its input "v" is f32[0], and one f32 is meant',
                     one('Pad', 'x', 'i', 'v', weights=[ints([1, 1, 1, 1]), array([], np.float32, 'v')])),
    'trilu_no_diagonal': ('a triangle above no diagonal', '(Trilu): its input "i" is i64[0], and one i64 is meant',
                          model([node('Trilu', ['x', 'i'])], [ints([])], opset=14)),
    'conv_transpose_bias_type': ('a bias of bytes', '(ConvTranspose): its bias is i8, not f32',
                                 one('ConvTranspose', weights=[weights(3, 2, 3, 3), array([1, 2], np.int8, 'b')], x=IMAGE)),
    'sparse_weights': ('sparse initializers', 'it reads w, which no node, input or initializer gives',
                       changed(lambda m: (m.graph.sparse_initializer.add(dims=[3, 4]), m.graph.initializer.pop()))),
    'deep_nesting': ('20,000 graphs in each other', "it doesn't say which operator it is", deep_bytes(20000)),
}


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    for old in ROOT.glob('*.onnx'):
        old.unlink()
    (ROOT / 'external.data').write_bytes(bytes(48))
    lines = ['file\twrong\tsays']
    for name, (wrong, says, content) in BROKEN.items():
        data = content if isinstance(content, bytes) else content.SerializeToString()
        (ROOT / f'{name}.onnx').write_bytes(data)
        lines.append(f'{name}.onnx\t{wrong}\t{says}')
    (ROOT / 'index.tsv').write_text('\n'.join(lines) + '\n')
    print(f'{len(BROKEN)} files, {sum(f.stat().st_size for f in ROOT.iterdir()):,} bytes')
    if '--check' in sys.argv:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        for name in BROKEN:
            try:
                session = ort.InferenceSession(str(ROOT / f'{name}.onnx'), options, providers=['CPUExecutionProvider'])
                shapes = [[d if isinstance(d, int) else 1 for d in i.shape] for i in session.get_inputs()]
                if any(np.prod(shape, dtype=float) > 1e6 for shape in shapes):
                    continue  # what makes it wrong is the size that it claims
                session.run(None, {i.name: np.ones(shape, TYPES[i.type]) for i, shape in zip(session.get_inputs(), shapes)})
                print(f'ONNX Runtime accepts {name}')
            except Exception:
                pass


if __name__ == '__main__':
    main()
