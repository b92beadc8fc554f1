"""Element by element: activations, arithmetic with broadcasting, comparison, logic, casts."""

import numpy as np

from case_kit import B, F, I, K, case, f32, i64

WIDE = F(3, 11, low=-4, high=4)   # 33 values: a full vector and a remainder for every ISA
EDGES = f32([-np.inf, -100, -88.5, -20, -5, -1, -1e-4, -0.0, 0.0, 1e-4, 1, 5, 20, 88.5, 100, np.inf])

for op in ('Relu', 'LeakyRelu', 'Elu', 'Selu', 'HardSigmoid', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign',
           'ThresholdedRelu', 'Neg', 'Abs', 'Exp', 'Floor', 'Ceil', 'Identity', 'Sin', 'Cos'):
    case(op, 'basic', WIDE)
    case(op, 'opset_7' if op != 'ThresholdedRelu' else 'opset_10', WIDE, opset=7 if op != 'ThresholdedRelu' else 10)
for op in ('Sigmoid', 'Tanh', 'Relu', 'Exp', 'HardSigmoid', 'Elu'):
    case(op, 'edges', EDGES)
case('Erf', 'basic', WIDE)
case('Erf', 'edges', EDGES)
case('Sign', 'basic', f32([-np.inf, -2, -0.0, 0.0, 3, np.inf]))
case('Round', 'ties_to_even', f32([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.4999, -0.51, 1e9]))
for op in ('Sqrt', 'Log'):
    case(op, 'basic', F(3, 11, low=0.01, high=9))
case('Reciprocal', 'basic', F(3, 11, low=0.5, high=9))
case('Neg', 'int64', I(7))
case('Neg', 'int8', I(7, dtype=np.int8))
case('Abs', 'int64', I(7))
case('Abs', 'int32', I(7, dtype=np.int32))
case('Sign', 'int64', I(7))
case('Exp', 'double', F(7, dtype=np.float64))
case('Relu', 'opset_22', WIDE, opset=22)
case('Relu', 'scalar', F())
case('Relu', 'empty', np.zeros((0, 3), np.float32))
case('Relu', 'float16', F(5, 7, dtype=np.float16))
case('LeakyRelu', 'alpha', WIDE, alpha=0.1)
case('Elu', 'alpha', WIDE, alpha=0.5)
case('Selu', 'alpha_gamma', WIDE, alpha=2.0, gamma=3.0)
case('HardSigmoid', 'alpha_beta', WIDE, alpha=1 / 6, beta=0.5)
case('HardSwish', 'basic', WIDE, opset=14)
case('HardSwish', 'edges', f32([-100, -3.0001, -3, -2.9999, -1.5, -0.0, 0, 1.5, 2.9999, 3, 3.0001, 100]), opset=14)
case('Gelu', 'erf', WIDE, opset=20)
case('Gelu', 'tanh', WIDE, opset=20, approximate='tanh')
case('Mish', 'basic', WIDE, opset=18)
case('PRelu', 'per_channel', F(2, 3, 2, 3), K(F(3, 1, 1)))
case('PRelu', 'one_slope', F(2, 3, 4), K(F(1)))
case('PRelu', 'full', F(2, 3), F(2, 3))
case('PRelu', 'opset_7', F(2, 3, 2, 2), K(F(3, 1, 1)), opset=7)

# Clip: attributes until opset 10, inputs from 11 on
case('Clip', 'opset_7', WIDE, opset=7, min=0.0, max=3.0)
case('Clip', 'opset_7_default', WIDE, opset=7)
case('Clip', 'opset_7_min', WIDE, opset=7, min=-0.5)
case('Clip', 'opset_11', WIDE, K(f32(0)), K(f32(6)), opset=11)
case('Clip', 'opset_13', WIDE, K(f32(-1)), K(f32(1)))
case('Clip', 'opset_13_min', WIDE, K(f32(-1)))
case('Clip', 'opset_13_max', WIDE, None, K(f32(1)))
case('Clip', 'opset_13_none', WIDE)
case('Clip', 'opset_13_dynamic', WIDE, f32(-1), f32(1))
case('Clip', 'opset_13_min_above_max', WIDE, K(f32(2)), K(f32(-2)))
case('Clip', 'int64', I(9), K(i64(-3)), K(i64(4)))
case('Clip', 'int8', I(9, dtype=np.int8), K(np.int8(-3)), K(np.int8(4)))

# Arithmetic with broadcasting
SHAPES = {
    'same': ((2, 3, 4), (2, 3, 4)),
    'scalar': ((2, 3, 4), ()),
    'one': ((2, 3, 4), (1,)),
    'last': ((2, 3, 5), (5,)),
    'channel': ((2, 3, 2, 2), (3, 1, 1)),
    'both': ((2, 1, 4), (3, 1)),
    'left': ((4,), (2, 3, 4)),
}
for op in ('Add', 'Sub', 'Mul', 'Div'):
    for name, (a, b) in SHAPES.items():
        case(op, name, F(*a), F(*b, low=0.5, high=2))
    case(op, 'opset_7_channel', F(2, 3, 2, 2), K(F(3, 1, 1, low=0.5, high=2)), opset=7)
    case(op, 'constant_left', K(F(3, 1)), F(2, 3, 4, low=0.5, high=2))
    case(op, 'int64', I(3, 4), I(4, low=1, high=6))
    case(op, 'int32', I(3, 4, dtype=np.int32), I(4, low=1, high=6, dtype=np.int32))
    case(op, 'zero_length', np.zeros((0, 4), np.float32), F(4))
    case(op, 'vector_edges', F(1, 67), F(67, low=0.5, high=2))
case('Div', 'by_zero', f32([1, -1, 0]), f32([0, 0, 0]))
case('Div', 'int64_negative', i64([-7, 7, -7, 7]), i64([2, -2, -2, 2]))
case('Add', 'opset_14_uint8', I(3, low=0, high=100, dtype=np.uint8), I(3, low=0, high=100, dtype=np.uint8), opset=14)

case('Pow', 'same', F(3, 4, low=0.1, high=3), F(3, 4, low=-2, high=2))
case('Pow', 'square', WIDE, K(f32(2)))
case('Pow', 'cube', WIDE, K(f32(3)))
case('Pow', 'half', F(3, 4, low=0, high=3), K(f32(0.5)))
case('Pow', 'minus_half', F(3, 4, low=0.1, high=3), K(f32(-0.5)))
case('Pow', 'broadcast', F(2, 3, 1, low=0.1, high=3), F(4, low=-2, high=2))
case('Pow', 'opset_7', WIDE, K(f32(2)), opset=7)
case('Pow', 'float_int64', WIDE, K(i64(2)))
case('Pow', 'int64', I(5), K(i64(3)))
for op in ('Min', 'Max'):
    case(op, 'two', F(3, 4), F(4))
    case(op, 'one', F(3, 4))
    case(op, 'three_broadcast', F(2, 1, 3), F(4, 1), F(3))
    case(op, 'opset_8', F(3, 4), F(3, 1), opset=8)
    case(op, 'int64', I(3, 4), I(4))
    case(op, 'nan', f32([1, np.nan, 3]), f32([np.nan, 2, 1]))
for op in ('Sum', 'Mean'):
    case(op, 'one', F(3, 4))
    case(op, 'two', F(3, 4), F(3, 4))
    case(op, 'three_broadcast', F(2, 1, 3), F(4, 1), F(3))
    case(op, 'opset_8', F(3, 4), F(3, 1), opset=8)
case('Mod', 'int64', i64([-7, 7, -7, 7, 0]), i64([3, -3, -3, 3, 5]))
case('Mod', 'int64_fmod', i64([-7, 7, -7, 7, 0]), i64([3, -3, -3, 3, 5]), fmod=1)
case('Mod', 'float_fmod', f32([-7.5, 7.5, -7.5, 7.5]), f32([2, -2, -2, 2]), fmod=1)
case('Mod', 'broadcast', I(3, 4, low=0, high=50), K(i64(7)))

# Comparison and logic
for op in ('Equal', 'Greater', 'Less', 'GreaterOrEqual', 'LessOrEqual'):
    opset = 16 if 'Or' in op else 13
    case(op, 'float', F(3, 4), F(3, 4), opset=opset)
    case(op, 'float_ties_nan', f32([1, 2, np.nan, -0.0, np.inf]), f32([1, 1, np.nan, 0.0, np.inf]), opset=opset)
    case(op, 'int64_broadcast', I(3, 4, low=0, high=3), I(4, low=0, high=3), opset=opset)
    case(op, 'int32_scalar', I(3, 4, low=0, high=3, dtype=np.int32), K(np.int32(1)), opset=opset)
case('Equal', 'bool', B(7), B(7))
case('Equal', 'opset_7_int64', I(7, low=0, high=3), I(7, low=0, high=3), opset=7)
case('Greater', 'opset_9', F(3, 4), F(3, 1), opset=9)
case('Less', 'opset_7', F(3, 4), F(3, 1), opset=7)
case('GreaterOrEqual', 'opset_12', F(3, 4), F(4), opset=12)
case('LessOrEqual', 'opset_12', F(3, 4), F(4), opset=12)
for op in ('And', 'Or', 'Xor'):
    case(op, 'same', B(3, 5), B(3, 5))
    case(op, 'broadcast', B(3, 1), B(5))
    case(op, 'opset_7', B(5), B(5), opset=7)
case('Not', 'basic', B(3, 5))
case('IsNaN', 'basic', f32([1, np.nan, np.inf, -np.inf, 0]))
case('IsInf', 'basic', f32([1, np.nan, np.inf, -np.inf, 0]))
case('Where', 'same', B(3, 4), F(3, 4), F(3, 4))
case('Where', 'broadcast_condition', B(2, 1, 1, 4), F(2, 3, 4, 4), K(f32(-1e9)))
case('Where', 'scalars', B(3, 4), K(f32(1)), K(f32(0)))
case('Where', 'three_way', B(2, 1, 1), F(3, 1), F(4))
case('Where', 'int64', B(5), I(5), I(5))
case('Where', 'opset_9', B(5), F(5), F(5), opset=9)

# Cast
TYPES = {'float': np.float32, 'float16': np.float16, 'double': np.float64, 'int8': np.int8, 'int16': np.int16,
         'int32': np.int32, 'int64': np.int64, 'uint8': np.uint8, 'uint16': np.uint16, 'uint32': np.uint32,
         'uint64': np.uint64, 'bool': np.bool_}
CODES = {'float': 1, 'uint8': 2, 'int8': 3, 'uint16': 4, 'int16': 5, 'int32': 6, 'int64': 7, 'bool': 9,
         'float16': 10, 'double': 11, 'uint32': 12, 'uint64': 13}
for source, dtype in TYPES.items():
    kind = np.dtype(dtype).kind
    values = {'f': [0, 0.4, 0.9, 1, 1.5, 2.5, 100.7, 127], 'u': [0, 1, 2, 127], 'i': [0, 1, 2, 127],
              'b': [0, 1, 1, 0]}[kind]
    for target, code in CODES.items():
        if source != target:
            case('Cast', f'{source}_to_{target}', np.array(values).astype(dtype), to=code)
case('Cast', 'float_negative_to_int32', f32([-0.9, -1.5, -2.5, -100.7]), to=6)
case('Cast', 'float_negative_to_int64', f32([-0.9, -1.5, -2.5, -100.7]), to=7)
case('Cast', 'float_negative_to_int8', f32([-0.9, -1.5, -2.5, -100.7]), to=3)
case('Cast', 'float_special_to_bool', f32([0, -0.0, 0.1, -3, np.nan, np.inf]), to=9)
case('Cast', 'float_to_float16_rounding', f32([1.0009765625, 1.00048828125, 65504, 65520, 1e-7, 6e-8, -2.0e-8, 1e9]), to=10)
case('Cast', 'int64_to_int32_wrap', i64([2**31, 2**32 + 5, -2**31 - 1]), to=6)
case('Cast', 'int32_to_uint8_wrap', np.array([256, 300, -1], np.int32), to=2)
case('Cast', 'opset_7', f32([0.5, 1.5, -2.5]), to=6, opset=7)
case('Cast', 'same_type', F(5), to=1)

# Trigonometry and its relatives, each where it is defined
for op in ('Asinh', 'Atan', 'Sinh', 'Cosh'):
    case(op, 'basic', WIDE)
case('Tan', 'basic', F(3, 11, low=-1.4, high=1.4))
for op in ('Acos', 'Asin', 'Atanh'):
    case(op, 'basic', F(3, 11, low=-0.99, high=0.99))
    case(op, 'edges', f32([-2, -1, 0, 1, 2]))
case('Acosh', 'basic', F(3, 11, low=1.01, high=9))
case('Acosh', 'edges', f32([0.5, 1, 1e4]))
case('Celu', 'basic', WIDE)
case('Celu', 'alpha', WIDE, alpha=0.5)
case('Shrink', 'basic', WIDE)
case('Shrink', 'lambd_bias', WIDE, lambd=1.5, bias=0.75)
case('Swish', 'basic', WIDE, opset=24)
case('Swish', 'alpha', WIDE, opset=24, alpha=0.5)

# Bits
for op in ('BitwiseAnd', 'BitwiseOr', 'BitwiseXor'):
    case(op, 'int32', I(3, 5, low=-99, high=99, dtype=np.int32), I(5, low=-99, high=99, dtype=np.int32), opset=18)
    case(op, 'uint8', I(3, 5, low=0, high=256, dtype=np.uint8), I(3, 1, low=0, high=256, dtype=np.uint8), opset=18)
for direction in ('LEFT', 'RIGHT'):
    case('BitShift', direction.lower(), I(3, 5, low=0, high=250, dtype=np.uint8), I(5, low=0, high=8, dtype=np.uint8), direction=direction)
    case('BitShift', direction.lower() + '_uint64', I(4, low=0, high=2**40, dtype=np.uint64), I(1, low=0, high=20, dtype=np.uint64),
         direction=direction)
case('BitwiseNot', 'int32', I(7, low=-99, high=99, dtype=np.int32), opset=18)
case('BitwiseNot', 'uint8', I(7, low=0, high=256, dtype=np.uint8), opset=18)

case('CastLike', 'float_to_int64', F(3, 5, low=-9, high=9), I(1), opset=15)
case('CastLike', 'int32_to_float', I(3, 5, dtype=np.int32), F(2, 2), opset=15)
