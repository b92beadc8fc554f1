// The tables of how operators treat a batch. A rule answers for one node along which axis the
// samples of its outputs are stacked; it returns false where they would be mixed.
#pragma once

#include <span>
#include <string_view>

#include "onnx/batch_flow.h"

namespace pare::onnx {

struct BatchRule {
  std::string_view ops;  // separated by blanks
  bool (*rule)(Flow&);
};

std::span<const BatchRule> BatchRulesOfNumbers();  // of what computes (batch_numbers.cc)
// Of what moves elements, or tells of shapes (batch_moves.cc).
std::span<const BatchRule> BatchRulesOfMoves();

// An operand that every sample shares (the class token of a vision transformer) is repeated.
inline bool CanExpand(const Flow& f, int i, Carry carry) {
  return !f.carry(i) && !f.is_size(i) && carry.times == 1 && f.dim(i, carry.axis) == 1;
}

}  // namespace pare::onnx
