"""Integers: quantize, dequantize and the integer products. Results here are exact."""

import ml_dtypes
import numpy as np

from case_kit import F, I, K, case, f32, i64

u8 = lambda *values: np.array(values if len(values) > 1 else values[0], np.uint8)
s8 = lambda *values: np.array(values if len(values) > 1 else values[0], np.int8)
U8 = lambda *shape: I(*shape, low=0, high=256, dtype=np.uint8)
S8 = lambda *shape: I(*shape, low=-128, high=128, dtype=np.int8)
TIES = f32([-3.25, -0.75, -0.25, 0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 63.75, 64.25, 1e9, -1e9])

# QuantizeLinear
for name, zero in (('u8', u8(128)), ('s8', s8(0)), ('s8_zero_point', s8(-5))):
    case('QuantizeLinear', f'per_tensor_{name}', F(3, 11), K(f32(0.013)), K(zero))
    case('QuantizeLinear', f'ties_{name}', TIES, K(f32(0.5)), K(zero))
    case('DequantizeLinear', f'per_tensor_{name}', (U8 if name == 'u8' else S8)(3, 11), K(f32(0.013)), K(zero))
case('QuantizeLinear', 'no_zero_point', F(3, 4, low=0), K(f32(0.005)))
case('QuantizeLinear', 'opset_10', F(3, 4), K(f32(0.01)), K(u8(100)), opset=10)
case('QuantizeLinear', 'per_channel_axis_0', F(3, 4), K(f32([0.01, 0.02, 0.004])), K(s8(0, 0, 0)), axis=0)
case('QuantizeLinear', 'per_channel_default', F(2, 3, 2, 2), K(f32([0.01, 0.02, 0.03])), K(u8(128, 100, 3)))
case('QuantizeLinear', 'per_channel_axis_minus_1', F(2, 3), K(f32([0.01, 0.02, 0.03])), K(u8(128, 100, 3)), axis=-1)
case('QuantizeLinear', 's16', F(3, 4), K(f32(0.0001)), K(np.int16(0)), opset=21)
case('QuantizeLinear', 'opset_19', F(3, 4), K(f32(0.01)), K(s8(0)), opset=19)
case('QuantizeLinear', 'scale_as_input', F(3, 4), f32(0.01), u8(128))

# DequantizeLinear
case('DequantizeLinear', 'no_zero_point', U8(3, 4), K(f32(0.005)))
case('DequantizeLinear', 'opset_10', U8(3, 4), K(f32(0.01)), K(u8(100)), opset=10)
case('DequantizeLinear', 'per_channel_axis_0', K(S8(4, 3, 1, 1)), K(F(4, low=0.001, high=0.02)), K(s8(0, 0, 0, 0)), axis=0)
case('DequantizeLinear', 'per_channel_default', U8(2, 3, 2, 2), K(f32([0.01, 0.02, 0.03])), K(u8(128, 100, 3)))
case('DequantizeLinear', 'per_channel_axis_minus_1', S8(2, 3), K(f32([0.01, 0.02, 0.03])), K(s8(1, -100, 3)), axis=-1)
case('DequantizeLinear', 'int32', I(5, low=-100000, high=100000, dtype=np.int32), K(f32(0.0003)))
case('DequantizeLinear', 'int32_per_channel', K(I(3, low=-9999, high=9999, dtype=np.int32)), K(f32([0.1, 0.01, 0.3])), axis=0)
case('DequantizeLinear', 'opset_21_u16', I(5, low=0, high=65535, dtype=np.uint16), K(f32(0.0003)), K(np.uint16(30000)), opset=21)
s4 = lambda *shape: np.arange(np.prod(shape)).reshape(shape) % 16 - 8
case('DequantizeLinear', 'opset_21_s4', K(s4(3, 5).astype(ml_dtypes.int4)), K(f32(0.07)), opset=21)
case('DequantizeLinear', 'opset_21_s4_per_channel', K(s4(3, 7).astype(ml_dtypes.int4)), K(f32([0.1, 0.02, 0.3])),
     K(np.zeros(3, ml_dtypes.int4)), axis=0, opset=21)
case('DequantizeLinear', 'opset_21_u4', K((s4(2, 9) + 8).astype(ml_dtypes.uint4)), K(f32(0.07)), K(np.array(5, ml_dtypes.uint4)), opset=21)

case('DynamicQuantizeLinear', 'basic', F(3, 11), opset=11, outputs=3)
case('DynamicQuantizeLinear', 'positive', F(3, 4, low=1, high=3), opset=11, outputs=3)
case('DynamicQuantizeLinear', 'negative', F(3, 4, low=-3, high=-1), opset=11, outputs=3)
case('DynamicQuantizeLinear', 'large', F(3, 4, low=-900, high=100), opset=11, outputs=3)

# QLinearConv: x, x scale and zero, w, w scale and zero, y scale and zero, bias
def qconv(name, x, w, w_scale, w_zero, bias=None, x_zero=u8(120), y_zero=u8(115), y_scale=0.35, **attributes):
    case('QLinearConv', name, x, K(f32(0.02)), K(x_zero), K(w), K(w_scale), K(w_zero), K(f32(y_scale)), K(y_zero),
         *([K(bias)] if bias is not None else []), opset=10, **attributes)


BIAS = lambda n: I(n, low=-3000, high=3000, dtype=np.int32)
SCALES = lambda n: F(n, low=0.005, high=0.02)
qconv('u8_s8', U8(1, 3, 6, 5), S8(4, 3, 3, 3), f32(0.01), s8(0), BIAS(4))
qconv('u8_s8_no_bias', U8(1, 3, 6, 5), S8(4, 3, 3, 3), f32(0.01), s8(0), pads=[1, 1, 1, 1])
qconv('u8_s8_per_channel', U8(2, 3, 5, 5), S8(4, 3, 3, 3), SCALES(4), s8(0, 0, 0, 0), BIAS(4), pads=[1, 1, 1, 1], strides=[2, 2])
qconv('u8_u8', U8(1, 3, 6, 5), U8(4, 3, 3, 3), f32(0.01), u8(131), BIAS(4), pads=[1, 1, 1, 1])
qconv('s8_s8', S8(1, 3, 6, 5), S8(4, 3, 3, 3), f32(0.01), s8(0), BIAS(4), x_zero=s8(-7), y_zero=s8(3), pads=[1, 1, 1, 1])
qconv('s8_s8_per_channel', S8(1, 3, 5, 5), S8(4, 3, 3, 3), SCALES(4), s8(0, 0, 0, 0), BIAS(4), x_zero=s8(-7), y_zero=s8(3))
qconv('depthwise_u8_s8', U8(1, 9, 5, 5), S8(9, 1, 3, 3), SCALES(9), np.zeros(9, np.int8), BIAS(9), y_scale=0.1, group=9, pads=[1, 1, 1, 1])
qconv('depthwise_s8_s8', S8(1, 9, 5, 5), S8(9, 1, 3, 3), f32(0.01), s8(0), BIAS(9), x_zero=s8(5), y_zero=s8(-9), y_scale=0.1,
      group=9, pads=[1, 1, 1, 1], strides=[2, 2])
qconv('depthwise_u8_u8', U8(1, 5, 5, 5), U8(5, 1, 3, 3), f32(0.01), u8(101), BIAS(5), y_scale=0.1, group=5)
qconv('pointwise_u8_s8', U8(1, 17, 3, 3), S8(19, 17, 1, 1), SCALES(19), np.zeros(19, np.int8), BIAS(19), y_scale=0.3)
qconv('groups_2_u8_s8', U8(1, 4, 4, 4), S8(6, 2, 3, 3), f32(0.01), s8(0), BIAS(6), group=2)
qconv('dilation_2_u8_s8', U8(1, 3, 7, 7), S8(2, 3, 3, 3), f32(0.01), s8(0), BIAS(2), dilations=[2, 2], pads=[2, 2, 2, 2])
qconv('conv1d_u8_s8', U8(1, 3, 9), S8(4, 3, 3), f32(0.01), s8(0), BIAS(4), pads=[1, 1], y_scale=0.2)
# A saturating engine (16-bit sums of pairs) goes wrong here: every product is of the largest size.
qconv('extreme_u8_s8', np.full((1, 32, 2, 2), 255, np.uint8), np.full((3, 32, 1, 1), 127, np.int8), f32(0.01), s8(0),
      x_zero=u8(0), y_zero=u8(0), y_scale=1.0)
qconv('extreme_negative_u8_s8', np.full((1, 32, 2, 2), 255, np.uint8), np.full((3, 32, 1, 1), -128, np.int8), f32(0.01), s8(0),
      x_zero=u8(0), y_zero=u8(250), y_scale=1.0)

# QLinearMatMul: a, a scale and zero, b, b scale and zero, y scale and zero
def qmatmul(name, a, a_zero, b, b_scale, b_zero, y_zero, y_scale=0.2):
    case('QLinearMatMul', name, a, K(f32(0.02)), K(a_zero), b, K(b_scale), K(b_zero), K(f32(y_scale)), K(y_zero), opset=10)


qmatmul('u8_s8', U8(3, 7), u8(120), K(S8(7, 5)), f32(0.01), s8(0), u8(115))
qmatmul('u8_u8', U8(3, 7), u8(120), U8(7, 5), f32(0.01), u8(99), u8(115))
qmatmul('s8_s8', S8(3, 7), s8(-3), K(S8(7, 5)), f32(0.01), s8(0), s8(4))
qmatmul('u8_s8_per_column', U8(3, 37), u8(120), K(S8(37, 5)), f32([0.01, 0.02, 0.03, 0.015, 0.005]), s8(0, 0, 0, 0, 0), u8(115), 0.5)
qmatmul('batched_u8_s8', U8(2, 3, 7), u8(120), S8(2, 7, 5), f32(0.01), s8(0), u8(115))

case('MatMulInteger', 'u8_s8', U8(3, 7), K(S8(7, 5)), opset=10)
case('MatMulInteger', 'u8_s8_zero_points', U8(3, 7), K(S8(7, 5)), K(u8(120)), K(s8(3)), opset=10)
case('MatMulInteger', 'u8_u8_zero_points', U8(3, 7), U8(7, 5), K(u8(120)), K(u8(99)), opset=10)
case('MatMulInteger', 's8_s8', S8(3, 7), K(S8(7, 5)), K(s8(-3)), K(s8(0)), opset=10)
case('MatMulInteger', 'u8_s8_per_column', U8(3, 7), K(S8(7, 3)), K(u8(120)), K(s8(1, -2, 3)), opset=10)
case('MatMulInteger', 'batched', U8(2, 3, 7), S8(2, 7, 5), K(u8(12)), opset=10)
case('MatMulInteger', 'extreme', np.full((2, 64), 255, np.uint8), K(np.full((64, 3), -128, np.int8)), opset=10)
case('ConvInteger', 'u8_s8', U8(1, 3, 5, 5), K(S8(4, 3, 3, 3)), K(u8(120)), opset=10, pads=[1, 1, 1, 1])
case('ConvInteger', 'u8_u8_zero_points', U8(1, 3, 5, 5), K(U8(4, 3, 3, 3)), K(u8(120)), K(u8(99)), opset=10)
case('ConvInteger', 'no_zero_points', U8(1, 3, 5, 5), K(U8(2, 3, 2, 2)), opset=10, strides=[2, 2])
case('ConvInteger', 'groups_3', U8(1, 3, 5, 5), K(S8(3, 1, 3, 3)), K(u8(7)), opset=10, group=3)
