"""Convolution, pooling, resizing."""

import numpy as np

from case_kit import F, K, case, f32, i64

X = F(1, 4, 7, 6)

# Conv
case('Conv', 'basic', X, K(F(5, 4, 3, 3)), K(F(5)))
case('Conv', 'no_bias', X, K(F(5, 4, 3, 3)), pads=[1, 1, 1, 1])
case('Conv', 'batch_3', F(3, 4, 5, 5), K(F(6, 4, 3, 3)), K(F(6)), pads=[1, 1, 1, 1])
case('Conv', 'pointwise', X, K(F(9, 4, 1, 1)), K(F(9)), kernel_shape=[1, 1])
case('Conv', 'pointwise_stride_2', X, K(F(9, 4, 1, 1)), K(F(9)), strides=[2, 2])
case('Conv', 'stride_2', X, K(F(5, 4, 3, 3)), K(F(5)), strides=[2, 2], pads=[1, 1, 1, 1])
case('Conv', 'stride_2_1', X, K(F(5, 4, 3, 3)), K(F(5)), strides=[2, 1])
case('Conv', 'dilation_2', X, K(F(5, 4, 3, 3)), K(F(5)), dilations=[2, 2], pads=[2, 2, 2, 2])
case('Conv', 'dilation_2_1_stride_2', X, K(F(3, 4, 3, 2)), dilations=[2, 1], strides=[1, 2])
case('Conv', 'asymmetric_pads', X, K(F(5, 4, 3, 3)), K(F(5)), pads=[0, 1, 2, 0])
case('Conv', 'asymmetric_pads_stride_2', X, K(F(5, 4, 3, 3)), K(F(5)), pads=[0, 0, 1, 1], strides=[2, 2])
case('Conv', 'kernel_1_3', X, K(F(5, 4, 1, 3)), K(F(5)), pads=[0, 1, 0, 1])
case('Conv', 'kernel_5_4', X, K(F(2, 4, 5, 4)), K(F(2)), pads=[2, 2, 2, 1])
case('Conv', 'kernel_is_input', F(1, 3, 4, 4), K(F(5, 3, 4, 4)), K(F(5)))
case('Conv', 'groups_2', X, K(F(6, 2, 3, 3)), K(F(6)), group=2)
case('Conv', 'groups_2_stride_2', F(2, 6, 5, 5), K(F(4, 3, 3, 3)), K(F(4)), group=2, strides=[2, 2], pads=[1, 1, 1, 1])
case('Conv', 'depthwise', F(1, 9, 5, 5), K(F(9, 1, 3, 3)), K(F(9)), group=9, pads=[1, 1, 1, 1])
case('Conv', 'depthwise_stride_2', F(1, 9, 6, 5), K(F(9, 1, 3, 3)), K(F(9)), group=9, pads=[1, 1, 1, 1], strides=[2, 2])
case('Conv', 'depthwise_dilation_2', F(1, 3, 7, 7), K(F(3, 1, 3, 3)), group=3, dilations=[2, 2], pads=[2, 2, 2, 2])
case('Conv', 'depthwise_5x5', F(1, 3, 6, 6), K(F(3, 1, 5, 5)), K(F(3)), group=3, pads=[2, 2, 2, 2])
case('Conv', 'depthwise_multiplier_2', F(1, 3, 5, 5), K(F(6, 1, 3, 3)), K(F(6)), group=3, pads=[1, 1, 1, 1])
case('Conv', 'same_upper', X, K(F(5, 4, 3, 3)), K(F(5)), auto_pad='SAME_UPPER', strides=[2, 2])
case('Conv', 'same_lower', X, K(F(5, 4, 3, 3)), K(F(5)), auto_pad='SAME_LOWER', strides=[2, 2])
case('Conv', 'same_upper_even_kernel', X, K(F(5, 4, 4, 2)), auto_pad='SAME_UPPER')
case('Conv', 'valid', X, K(F(5, 4, 3, 3)), K(F(5)), auto_pad='VALID', strides=[2, 2])
case('Conv', 'conv1d', F(2, 3, 11), K(F(5, 3, 3)), K(F(5)), pads=[1, 1], strides=[2])
case('Conv', 'conv1d_depthwise', F(1, 4, 9), K(F(4, 1, 5)), group=4, pads=[4, 0])
case('Conv', 'conv1d_same_upper', F(1, 3, 10), K(F(4, 3, 4)), K(F(4)), auto_pad='SAME_UPPER', strides=[3])
case('Conv', 'conv3d', F(1, 2, 4, 5, 4), K(F(3, 2, 3, 3, 2)), K(F(3)), pads=[1, 1, 0, 1, 1, 1])
case('Conv', 'weights_as_input', X, F(5, 4, 3, 3), F(5))
case('Conv', 'channels_3', F(1, 3, 9, 9), K(F(8, 3, 3, 3)), K(F(8)), strides=[2, 2], pads=[1, 1, 1, 1])
case('Conv', 'channels_17_to_33', F(1, 17, 3, 3), K(F(33, 17, 1, 1)), K(F(33)))
case('Conv', 'opset_7', X, K(F(5, 4, 3, 3)), K(F(5)), opset=7, pads=[1, 1, 1, 1])
case('Conv', 'opset_22', X, K(F(5, 4, 3, 3)), K(F(5)), opset=22, pads=[1, 1, 1, 1])

# ConvTranspose
case('ConvTranspose', 'basic', F(1, 3, 4, 4), K(F(3, 2, 3, 3)), K(F(2)))
case('ConvTranspose', 'stride_2', F(1, 3, 3, 4), K(F(3, 2, 3, 3)), K(F(2)), strides=[2, 2])
case('ConvTranspose', 'stride_2_kernel_2', F(2, 3, 3, 3), K(F(3, 4, 2, 2)), K(F(4)), strides=[2, 2])
case('ConvTranspose', 'pads_output_padding', F(1, 3, 4, 4), K(F(3, 2, 3, 3)), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
case('ConvTranspose', 'output_shape', F(1, 3, 3, 3), K(F(3, 2, 3, 3)), strides=[3, 2], output_shape=[10, 8])
case('ConvTranspose', 'groups_2', F(1, 4, 3, 3), K(F(4, 2, 3, 3)), K(F(4)), group=2)
case('ConvTranspose', 'dilation_2', F(1, 2, 3, 3), K(F(2, 2, 2, 2)), dilations=[2, 2])
case('ConvTranspose', 'asymmetric_pads', F(1, 2, 4, 4), K(F(2, 2, 3, 3)), pads=[1, 0, 0, 2])
case('ConvTranspose', 'same_upper', F(1, 2, 3, 3), K(F(2, 2, 3, 3)), auto_pad='SAME_UPPER', strides=[2, 2])
case('ConvTranspose', 'conv1d', F(1, 3, 5), K(F(3, 2, 4)), K(F(2)), strides=[2], pads=[1, 1])

# Pooling
P = F(1, 3, 7, 8)
case('MaxPool', 'basic', P, kernel_shape=[2, 2], strides=[2, 2])
case('MaxPool', 'kernel_3_stride_2', P, kernel_shape=[3, 3], strides=[2, 2])
case('MaxPool', 'kernel_3_stride_1', P, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
case('MaxPool', 'ceil', P, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
case('MaxPool', 'ceil_pads', F(1, 2, 6, 6), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
case('MaxPool', 'pads_negative_input', F(1, 3, 5, 5, low=-9, high=-1), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case('MaxPool', 'asymmetric_pads', P, kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 2, 0])
case('MaxPool', 'dilation_2', P, kernel_shape=[2, 3], dilations=[2, 2])
case('MaxPool', 'same_upper', P, kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER')
case('MaxPool', 'same_lower', P, kernel_shape=[2, 2], strides=[2, 2], auto_pad='SAME_LOWER')
case('MaxPool', 'valid', P, kernel_shape=[2, 3], auto_pad='VALID')
case('MaxPool', 'pool1d', F(2, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 0])
case('MaxPool', 'pool3d', F(1, 2, 4, 4, 4), kernel_shape=[2, 2, 2], strides=[2, 2, 2])
case('MaxPool', 'indices', P, kernel_shape=[2, 2], strides=[2, 2], outputs=2)
case('MaxPool', 'opset_7', P, kernel_shape=[3, 3], strides=[2, 2], opset=7)
case('MaxPool', 'uint8', F(1, 3, 5, 5, low=0, high=256, dtype=np.uint8), kernel_shape=[2, 2], strides=[1, 1])

case('AveragePool', 'basic', P, kernel_shape=[2, 2], strides=[2, 2])
for include in (0, 1):
    suffix = 'include_pad' if include else 'exclude_pad'
    case('AveragePool', f'pads_{suffix}', P, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=include)
    case('AveragePool', f'ceil_pads_{suffix}', F(1, 2, 6, 6), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
         ceil_mode=1, count_include_pad=include, opset=19)
    case('AveragePool', f'asymmetric_pads_{suffix}', P, kernel_shape=[3, 2], pads=[0, 1, 2, 0], count_include_pad=include)
case('AveragePool', 'ceil', P, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
case('AveragePool', 'same_upper', P, kernel_shape=[3, 3], strides=[2, 2], auto_pad='SAME_UPPER')
case('AveragePool', 'same_lower', P, kernel_shape=[2, 2], strides=[2, 2], auto_pad='SAME_LOWER')
case('AveragePool', 'dilation_2', P, kernel_shape=[2, 2], dilations=[2, 2], opset=19)
case('AveragePool', 'pool1d', F(2, 3, 9), kernel_shape=[3], strides=[2])
case('AveragePool', 'opset_7', P, kernel_shape=[3, 3], strides=[2, 2], opset=7)

for op in ('GlobalAveragePool', 'GlobalMaxPool'):
    case(op, 'basic', F(2, 5, 4, 3))
    case(op, 'pool1d', F(2, 5, 7))
    case(op, 'one_pixel', F(2, 5, 1, 1))
    case(op, 'opset_7', F(1, 17, 3, 3), opset=7)

# Depth and space
for mode in ('DCR', 'CRD'):
    case('DepthToSpace', mode.lower(), F(2, 8, 2, 3), blocksize=2, mode=mode)
case('DepthToSpace', 'block_3_opset_7', F(1, 9, 2, 2), blocksize=3, opset=7)
case('SpaceToDepth', 'basic', F(2, 2, 4, 6), blocksize=2)
case('SpaceToDepth', 'block_3', F(1, 1, 6, 3), blocksize=3, opset=7)

# Resize
R = F(1, 2, 4, 5)
NONE = K(f32([]))
UP = K(f32([1, 1, 2, 3]))
ODD = K(f32([1, 1, 1.7, 0.6]))
DOWN = K(f32([1, 1, 0.5, 0.5]))
for transform in ('half_pixel', 'asymmetric', 'align_corners', 'pytorch_half_pixel'):
    for nearest in ('round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'):
        case('Resize', f'nearest_{transform}_{nearest}', R, NONE, ODD, mode='nearest',
             coordinate_transformation_mode=transform, nearest_mode=nearest)
    case('Resize', f'linear_{transform}_up', R, NONE, UP, mode='linear', coordinate_transformation_mode=transform)
    case('Resize', f'linear_{transform}_odd', R, NONE, ODD, mode='linear', coordinate_transformation_mode=transform)
    case('Resize', f'linear_{transform}_sizes', R, NONE, NONE, K(i64([1, 2, 7, 3])), mode='linear',
         coordinate_transformation_mode=transform)
    case('Resize', f'nearest_{transform}_sizes', R, NONE, NONE, K(i64([1, 2, 9, 3])), mode='nearest',
         coordinate_transformation_mode=transform)
    case('Resize', f'cubic_{transform}_up', R, NONE, UP, mode='cubic', coordinate_transformation_mode=transform)
case('Resize', 'nearest_integer_up', R, NONE, K(f32([1, 1, 2, 2])), mode='nearest',
     coordinate_transformation_mode='asymmetric', nearest_mode='floor')
case('Resize', 'linear_down', F(1, 2, 6, 8), NONE, DOWN, mode='linear')
case('Resize', 'linear_one_pixel_sizes', R, None, None, K(i64([1, 2, 1, 1])), mode='linear',
     coordinate_transformation_mode='pytorch_half_pixel')
case('Resize', 'opset_10_nearest', R, UP, opset=10, mode='nearest')
case('Resize', 'opset_10_linear', R, UP, opset=10, mode='linear')
case('Resize', 'opset_11_nearest', R, NONE, UP, opset=11, mode='nearest')
case('Resize', 'opset_18_axes', R, None, K(f32([2, 2])), opset=18, mode='linear', axes=[2, 3])
case('Resize', 'opset_19_half_pixel_symmetric', R, None, ODD, opset=19, mode='linear',
     coordinate_transformation_mode='half_pixel_symmetric')
case('Resize', 'linear_1d', F(1, 2, 5), NONE, K(f32([1, 1, 2])), mode='linear')
case('Upsample', 'opset_7_nearest', R, opset=7, mode='nearest', scales=[1.0, 1.0, 2.0, 3.0])
case('Upsample', 'opset_9_linear', R, UP, opset=9, mode='linear')

# Pooling by a norm
case('LpPool', 'l2', P, kernel_shape=[2, 2], strides=[2, 2], opset=18)
case('LpPool', 'l1_pads', P, kernel_shape=[3, 3], pads=[1, 1, 1, 1], p=1, opset=18)
case('LpPool', 'opset_11', P, kernel_shape=[2, 2], opset=11)
case('GlobalLpPool', 'l2', F(2, 3, 4, 5))
case('GlobalLpPool', 'l1', F(2, 3, 4, 5), p=1)
