// All passes, one file each. What a pass promises stands here, in which order they run in
// pipeline.cc.
#pragma once

#include "passes/rewriter.h"

namespace pare::passes {

// --- exportable: standard ONNX in and out

// Evaluates nodes of constants, and shape arithmetic whose result is known. Never makes a constant
// much larger than what it is made from. Quantized weights stay quantized.
Status FoldConstants(PassContext& context);
// Drops nodes and constants from which nothing flows to an output.
Status RemoveDead(PassContext& context);
// Computes equal things once.
Status MergeEqual(PassContext& context);
// Drops nodes that give back their input.
Status RemoveIdentities(PassContext& context);
// Initial states of LSTM, GRU and RNN that are zeros go.
Status DropZeroStates(PassContext& context);
// Consecutive Transposes become one, consecutive shape changes one Reshape; a Reshape to sizes that
// the graph computes gets a constant target where that says the same.
Status MergeMoves(PassContext& context);
// BatchNormalization and arithmetic with one constant a channel go into the weights of the linear
// operator before or behind them; MatMul of two dimensions with a bias becomes Gemm.
Status FoldBatchNorm(PassContext& context);
// Zero padding becomes the padding of the convolution behind it.
Status FoldPad(PassContext& context);
// The mean over all spatial axes → GlobalAveragePool.
Status FormGlobalPool(PassContext& context);
// x − mean, / √(mean of squares + ε), · scale, + bias → LayerNormalization (opset 17).
Status FormLayerNorm(PassContext& context);
// The same where the source's opset has the operator, so that an export need not raise it.
Status FormLayerNormOfOpset(PassContext& context);
// f16 and bf16 graphs compute in f32, with Casts at inputs and outputs.
Status ComputeInF32(PassContext& context);

// --- training

// BatchNormalization whose scale or bias is a parameter (else it is frozen) becomes pare.BatchNorm,
// which normalizes by the statistics of the batch and keeps the running ones up to date: the
// constants that store them become states, moved by one node after the other where several share
// them. A residual sum and then a Relu or Clip behind it join it.
Status TrainBatchNorm(PassContext& context);

// --- internal: to our own operators and layouts

// Gelu, HardSwish, HardSigmoid and Silu from their formulas.
Status FormActivations(PassContext& context);
// Scores, softmax and values become pare.Attention.
Status FormAttention(PassContext& context);
// Spatial operators, and all that can follow them, compute on N,spatial…,C (attribute
// channels_last).
Status ToChannelsLast(PassContext& context);
// MatMul + bias → pare.MatMul.
Status FuseBias(PassContext& context);
// A sum behind a product becomes its residual operand.
Status FuseResidual(PassContext& context);
// An activation joins the operator before it: attributes activation, activation_lo, activation_hi.
Status FuseActivation(PassContext& context);
// Q/DQ graphs compute in integers: pare.QConv, QGemm, QAdd, QMul, Lut, pools; moves go on u8. What
// can't keeps its floats between Q and DQ. After ToChannelsLast, FuseResidual and FuseActivation.
Status QdqToInteger(PassContext& context);
// As FoldConstants, and what is left of quantized constants becomes float.
Status FoldQuantizedConstants(PassContext& context);

// --- emulation: what another engine would compute

// Integer products get pairs = "saturating". After QdqToInteger.
Status SaturatePairs(PassContext& context);

}  // namespace pare::passes
