// Outputs that a node may lack: the counterpart of optional_input.h.
#pragma once

#include "ops/prepare.h"

namespace pare::ops {

// Where a step writes: an output, or memory of the node's own where it lacks that.
class OptionalOutput {
 public:
  OptionalOutput() = default;
  OptionalOutput(const NodeView& view, int i) : output_(view.has_output(i) ? i : -1) {}
  // What the steps need in any case.
  static OptionalOutput OrTemp(PrepareContext& context, int i, size_t bytes) {
    OptionalOutput made(context, i);
    if (!made) made.temp_ = context.Temp(bytes);
    return made;
  }

  explicit operator bool() const { return output_ >= 0; }
  template <typename T>
  T* out(const StepArgs& args) const {  // null where it is absent
    if (output_ >= 0) return args.out<T>(output_);
    return temp_ >= 0 ? static_cast<T*>(args.temps[temp_]) : nullptr;
  }

 private:
  int output_ = -1, temp_ = -1;
};

}  // namespace pare::ops
