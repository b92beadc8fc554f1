// In which order the units of a group go best, and what that loses: told from the layers that sum
// over their channels, on the inputs these have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/prune/least_squares.h"

namespace pare::compress {

// A layer (or one group of a convolution) that sums over the units' channels.
struct SummingLayer {
  Moments x;       // of its input; `outputs` is not looked at
  Matrix weights;  // [columns, outputs]
  bool bias = false;
  std::vector<std::vector<int64_t>> columns;  // by unit
};

struct Elimination {
  std::vector<int64_t> order;  // units, the first to go first
  std::vector<double> loss;    // loss[k]: without the first k
  // For each count that was asked for: the layers' weights when so many units had gone, with zeros
  // for their columns. See BiasShift.
  std::vector<std::vector<Matrix>> weights;
};

// By what each unit adds to the outputs, squared, against what these vary by: E[x²]·|w|², summed
// over the layers (as if the units' values did not go together).
// Weights of what stays are as they were.
Elimination EliminateByContribution(const std::vector<SummingLayer>& layers, int64_t units,
                                    std::span<const int64_t> counts);

// By what the outputs lose for good, when the weights of the others make up for what goes by least
// squares: again and again the unit with the least w_B·(H⁻¹_BB)⁻¹·w_B, H = E[xᵀx] (Hassibi & Stork
// 1993, "Optimal Brain Surgeon"; for all columns of a unit at once Kurtić et al. 2023, "ZipLM").
// The fewer rows H is made of, the nearer it is taken to its diagonal: what few samples happen to
// have in common is not to be relied on. `gone`: how many go at most; the others follow, with an
// infinite loss.
Elimination EliminateByLeastSquares(const std::vector<SummingLayer>& layers, int64_t units,
                                    int64_t gone, std::span<const int64_t> counts);

// What a layer's bias gains when its weights become `weights`: the mean of the output stays.
std::vector<double> BiasShift(const SummingLayer& layer, const Matrix& weights);

// Columns up to which the latter is affordable.
inline constexpr int64_t kMostColumns = 2304;

}  // namespace pare::compress
