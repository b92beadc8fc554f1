"""Matrix products, normalisation, softmax, recurrence."""

import numpy as np

from case_kit import F, K, case, f32, i64

# MatMul
case('MatMul', '2d', F(3, 5), F(5, 4))
case('MatMul', '2d_weights', F(7, 19), K(F(19, 33)))
case('MatMul', 'one_row', F(1, 40), K(F(40, 17)))
case('MatMul', 'batched', F(2, 3, 4, 5), F(2, 3, 5, 2))
case('MatMul', 'batched_weights', F(2, 3, 5), K(F(5, 4)))
case('MatMul', 'broadcast_left', F(4, 5), F(3, 5, 2))
case('MatMul', 'broadcast_both', F(2, 1, 3, 4), F(3, 4, 2))
case('MatMul', 'broadcast_one', F(1, 3, 4), F(5, 4, 2))
case('MatMul', 'vector_matrix', F(4), F(4, 3))
case('MatMul', 'matrix_vector', F(3, 4), F(4))
case('MatMul', 'vector_vector', F(6), F(6))
case('MatMul', 'vector_batched', F(4), F(2, 4, 3))
case('MatMul', 'batched_vector', F(2, 3, 4), F(4))
case('MatMul', 'opset_7', F(2, 3, 4), F(4, 2), opset=7)
case('MatMul', 'int32', F(3, 4, low=-9, high=9, dtype=np.int32), F(4, 2, low=-9, high=9, dtype=np.int32))
case('MatMul', 'double', F(3, 4, dtype=np.float64), F(4, 2, dtype=np.float64))

# Gemm
case('Gemm', 'basic', F(3, 5), K(F(5, 4)), K(F(4)))
case('Gemm', 'trans_b', F(3, 5), K(F(4, 5)), K(F(4)), transB=1)
case('Gemm', 'trans_a', F(5, 3), K(F(5, 4)), K(F(4)), transA=1)
case('Gemm', 'trans_ab', F(5, 3), F(4, 5), F(3, 4), transA=1, transB=1)
case('Gemm', 'alpha_beta', F(3, 5), K(F(4, 5)), K(F(4)), transB=1, alpha=0.5, beta=2.0)
case('Gemm', 'beta_0', F(3, 5), F(5, 4), F(3, 4), beta=0.0)
case('Gemm', 'no_bias', F(3, 5), K(F(5, 4)), alpha=0.25)
case('Gemm', 'bias_scalar', F(3, 5), K(F(5, 4)), K(F()))
case('Gemm', 'bias_1_n', F(3, 5), K(F(5, 4)), K(F(1, 4)))
case('Gemm', 'bias_m_1', F(3, 5), K(F(5, 4)), K(F(3, 1)))
case('Gemm', 'bias_full', F(3, 5), K(F(5, 4)), K(F(3, 4)))
case('Gemm', 'opset_7', F(3, 5), K(F(5, 4)), K(F(4)), opset=7)
case('Gemm', 'wide', F(2, 65), K(F(35, 65)), K(F(35)), transB=1)

# Einsum
case('Einsum', 'matmul', F(3, 4), F(4, 2), equation='ij,jk->ik')
case('Einsum', 'attention_scores', F(2, 3, 2, 4), F(2, 5, 2, 4), equation='bqhd,bkhd->bhqk')
case('Einsum', 'attention_mix', F(2, 2, 3, 5), F(2, 5, 2, 4), equation='bhqk,bkhd->bqhd')
case('Einsum', 'transpose', F(2, 3), equation='ij->ji')
case('Einsum', 'reduce', F(2, 3, 4), equation='ijk->j')
case('Einsum', 'outer', F(3), F(4), equation='i,j->ij')
case('Einsum', 'implicit', F(3, 4), F(4, 2), equation='ij,jk')
case('Einsum', 'ellipsis', F(2, 3, 4), F(2, 4, 2), equation='...ij,...jk->...ik')

# Normalisation
STATS = (K(F(5)), K(F(5)), K(F(5)), K(F(5, low=0.2, high=2)))
case('BatchNormalization', 'basic', F(2, 5, 3, 3), *STATS)
case('BatchNormalization', 'epsilon', F(2, 5, 3, 3), *STATS, epsilon=0.1, opset=15)
case('BatchNormalization', '2d', F(4, 5), *STATS)
case('BatchNormalization', '1d_signal', F(2, 5, 7), *STATS, opset=9)
case('BatchNormalization', 'opset_7', F(2, 5, 3, 3), *STATS, opset=7)
case('LayerNormalization', 'last', F(2, 3, 8), K(F(8)), K(F(8)), opset=17)
case('LayerNormalization', 'no_bias', F(2, 3, 8), K(F(8)), opset=17)
case('LayerNormalization', 'axis_1', F(2, 3, 4), K(F(3, 4)), K(F(3, 4)), opset=17, axis=1)
case('LayerNormalization', 'axis_minus_2', F(2, 2, 3, 4), K(F(3, 4)), K(F(3, 4)), opset=17, axis=-2)
case('LayerNormalization', 'epsilon', F(2, 3, 8, low=-0.1, high=0.1), K(F(8)), K(F(8)), opset=17, epsilon=0.01)
case('LayerNormalization', 'large_mean', F(2, 19, low=100, high=101), K(F(19)), K(F(19)), opset=17)
case('LayerNormalization', 'statistics', F(2, 3, 8), K(F(8)), K(F(8)), opset=17, outputs=3)
case('InstanceNormalization', 'basic', F(2, 3, 4, 5), K(F(3)), K(F(3)))
case('InstanceNormalization', '1d_signal', F(2, 3, 7), K(F(3)), K(F(3)), epsilon=0.01)
case('InstanceNormalization', 'opset_7', F(1, 3, 4, 4), K(F(3)), K(F(3)), opset=7)
case('GroupNormalization', 'groups_2', F(2, 6, 3, 3), K(F(6)), K(F(6)), opset=21, num_groups=2)
case('GroupNormalization', 'groups_1', F(2, 4, 5), K(F(4)), K(F(4)), opset=21, num_groups=1, epsilon=0.01)
case('GroupNormalization', 'groups_all', F(1, 4, 3, 3), K(F(4)), K(F(4)), opset=21, num_groups=4)
case('LpNormalization', 'l2', F(2, 5), axis=1, p=2)
case('LRN', 'size_3', F(1, 5, 3, 3), size=3, alpha=0.01, beta=0.75, bias=1.0)

# Softmax: before opset 13 the axis flattens, from 13 on it selects
for op in ('Softmax', 'LogSoftmax'):
    case(op, 'opset_7_default', F(2, 3, 4), opset=7)
    case(op, 'opset_7_axis_2', F(2, 3, 4), opset=7, axis=2)
    case(op, 'opset_11_default', F(2, 3, 4), opset=11)
    case(op, 'opset_11_axis_0', F(2, 3, 4), opset=11, axis=0)
    case(op, 'opset_11_axis_minus_1', F(2, 3, 4), opset=11, axis=-1)
    case(op, 'opset_13_default', F(2, 3, 4))
    case(op, 'opset_13_axis_0', F(2, 3, 4), axis=0)
    case(op, 'opset_13_axis_1', F(2, 3, 4), axis=1)
    case(op, 'opset_13_axis_minus_2', F(2, 3, 4), axis=-2)
    case(op, 'large_values', F(3, 37, low=-500, high=500))
    case(op, 'one_class', F(3, 1))
case('Softmax', 'opset_7_image', F(1, 6, 1, 1), opset=7)
case('Softmax', 'masked', f32([[0.5, -np.inf, 1.5, -np.inf], [-3e38, -3e38, 2.0, 1.0]]))

# Recurrence: layout [sequence, batch, feature]; gates i o f c (LSTM), z r h (GRU)
def recurrent(op, gates, states):
    x = F(4, 2, 3)
    def weights(directions, size):
        return (K(F(directions, gates * size, 3)), K(F(directions, gates * size, size)))
    bias = lambda d: K(F(d, 2 * gates * 5))
    first = tuple(F(1, 2, 5) for _ in range(states))
    both = tuple(F(2, 2, 5) for _ in range(states))
    n = 1 + states
    case(op, 'forward', x, *weights(1, 5), hidden_size=5, outputs=n)
    case(op, 'forward_bias', x, *weights(1, 5), bias(1), hidden_size=5, outputs=n)
    case(op, 'opset_7', x, *weights(1, 5), bias(1), hidden_size=5, outputs=n, opset=7)
    case(op, 'reverse', x, *weights(1, 5), bias(1), hidden_size=5, outputs=n, direction='reverse')
    case(op, 'bidirectional', x, *weights(2, 5), bias(2), hidden_size=5, outputs=n, direction='bidirectional')
    case(op, 'initial_state', x, *weights(1, 5), bias(1), None, *first, hidden_size=5, outputs=n)
    case(op, 'bidirectional_initial_state', x, *weights(2, 5), bias(2), None, *both, hidden_size=5, outputs=n,
         direction='bidirectional')
    case(op, 'sequence_lengths', x, *weights(1, 5), bias(1), np.array([4, 2], np.int32), *first, hidden_size=5, outputs=n)
    case(op, 'last_state_only', x, *weights(1, 5), bias(1), hidden_size=5, outputs=[False, True])
    case(op, 'one_step', F(1, 1, 3), *weights(1, 5), bias(1), None, *(F(1, 1, 5) for _ in range(states)),
         hidden_size=5, outputs=n)
    case(op, 'clip', x, *weights(1, 5), bias(1), hidden_size=5, outputs=n, clip=0.3)


recurrent('LSTM', 4, 2)
recurrent('GRU', 3, 1)
recurrent('RNN', 1, 1)
case('LSTM', 'peephole', F(4, 2, 3), K(F(1, 20, 3)), K(F(1, 20, 5)), K(F(1, 40)), None, None, None, K(F(1, 15)),
     hidden_size=5, outputs=3)
case('LSTM', 'activations', F(4, 2, 3), K(F(1, 20, 3)), K(F(1, 20, 5)), hidden_size=5, outputs=3,
     activations=['Sigmoid', 'Relu', 'Tanh'])
case('GRU', 'linear_before_reset', F(4, 2, 3), K(F(1, 15, 3)), K(F(1, 15, 5)), K(F(1, 30)), hidden_size=5, outputs=2,
     linear_before_reset=1)

# The greatest of a row
case('Hardmax', 'basic', F(3, 5))
case('Hardmax', 'axis_1', F(2, 3, 4), axis=1)
case('Hardmax', 'opset_11', F(2, 3, 4), opset=11)

# Rows by their mean square
case('RMSNormalization', 'last', F(2, 3, 8), K(F(8)), opset=23)
case('RMSNormalization', 'axis_1', F(2, 3, 4), K(F(3, 4)), opset=23, axis=1)
case('RMSNormalization', 'epsilon', F(2, 3, 8, low=-0.1, high=0.1), K(F(8)), opset=23, epsilon=0.01)
