// Fusions that several passes share (internal to the room).
#pragma once

#include "passes/rewriter.h"

namespace pare::passes {

// Both shapes are known and the same, symbols included, and so are the element types.
bool SameKnownType(const graph::TensorType& a, const graph::TensorType& b);

// The activation "act" joins the operator "producer": a rewrite of a rule.
bool FuseActivationRule(const Match& m, Patch& p);

}  // namespace pare::passes
