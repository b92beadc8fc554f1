// Mean losses of a classifier's answers: finer than counting those that are right.
#pragma once

#include <span>
#include <vector>

#include "base/tensor.h"
#include "graph/graph.h"

namespace pare::compress {

// Over the rows that were added. Outputs are [rows, classes, 1…]; a final Softmax is looked
// through. No probability counts as less than 1e-30, nor do answers that hold NaN: the mean is
// finite.
class ClassLoss {
 public:
  // Of the answers of `graph`, which is as training writes it.
  explicit ClassLoss(const graph::Graph& graph, float smoothing = 0);
  // And of `reference`, where there is one.
  ClassLoss(const graph::Graph& graph, const graph::Graph& reference);

  // Cross-entropy by labels, smoothed as training smooths them. Of the labels only the first `rows`
  // count; negative ones don't, nor do those that are no class.
  void Add(const Tensor& scores, std::span<const int64_t> labels, int64_t rows);
  // KL(reference ‖ scores).
  void Add(const Tensor& reference, const Tensor& scores, int64_t rows);

  double mean() const { return rows_ > 0 ? sum_ / static_cast<double>(rows_) : 0; }

 private:
  bool probabilities_, reference_probabilities_ = false;
  double smoothing_ = 0, sum_ = 0;
  int64_t rows_ = 0;
};

// How two models classify each position of their outputs: by logits, with the classes along one
// axis. Outputs count alike, whatever number of positions they have.
class PositionScore {
 public:
  // Of both models' `output`, in the shape of `scores`; of the first `samples` samples.
  void Add(size_t output, std::span<const float> reference, const Tensor& scores, int axis,
           int64_t samples);
  double agreement() const;   // percent of the positions whose highest class is the same
  double divergence() const;  // KL(reference ‖ scores) of a position; of several outputs the sum

 private:
  struct Sums {
    double divergence = 0;
    int64_t positions = 0, agreeing = 0;
  };
  std::vector<Sums> outputs_;
};

}  // namespace pare::compress
