// Losses, as nodes. Each is a mean over the batch: one number. Rows are samples: outputs of more
// than two dimensions are flattened to [batch, …] where nothing else is said.
#pragma once

#include <optional>

#include "ops/emit.h"

namespace pare::train {

using ops::Var;

// What a classifier's output was before a final Softmax; the output itself where it has none. Views
// and a Cast may stand between.
graph::ValueId LogitsOf(const graph::Graph& graph, graph::ValueId output);
Var Logits(Var output);
// Along which axis of its logits that final Softmax goes; nothing where the output has none.
std::optional<int> SoftmaxAxis(const graph::Graph& graph, graph::ValueId output);

// −Σ targets · log softmax(logits), both [batch, classes, 1…]; targets are probabilities.
Var CrossEntropy(Var logits, Var targets);
// Mean of (a − b)².
Var MeanSquare(Var a, Var b);
// Huber 1964: ½d² where |d| ≤ delta, else delta·(|d| − ½·delta).
Var Huber(Var a, Var b, float delta = 1);
// 1 − cos(a, b), by row.
Var CosineDistance(Var a, Var b);
// T²·KL(softmax(teacher / T) ‖ softmax(student / T)): Hinton, Vinyals & Dean, "Distilling the
// Knowledge in a Neural Network", 2015, §2; the factor T² keeps the gradient's size. The classes
// stand along `axis`; every position along the others is a row.
Var SoftLogits(Var student, Var teacher, float temperature, int axis = 1);
// Attention transfer: mean square between the maps Σ_c F², each normalised to length 1 (Zagoruyko &
// Komodakis, "Paying More Attention to Attention", 2017, eq. 2 with p = 2). [batch, …] with the
// channels along `axis`; of the same extents along the others.
Var AttentionMaps(Var student, Var teacher, int axis = 1);
// Relational distillation by distances: Huber between the pairwise distances of the batch's
// embeddings, each divided by their mean (Park et al., "Relational Knowledge Distillation", 2019,
// §3.2.1). [batch, …] each.
Var PairDistances(Var student, Var teacher);

}  // namespace pare::train
