// Inputs that a node may lack. Steps see only as many inputs as the node has, so prepare notes in
// the state which are there.
#pragma once

#include "ops/prepare.h"

namespace pare::ops {

class OptionalInput {
 public:
  OptionalInput() = default;
  OptionalInput(const NodeView& view, int i) : index_(view.has_input(i) ? i : -1) {}

  explicit operator bool() const { return index_ >= 0; }
  template <typename T>
  const T* in(const StepArgs& args) const {  // null where it is absent
    return index_ < 0 ? nullptr : args.in<T>(index_);
  }

 private:
  int index_ = -1;
};

}  // namespace pare::ops
