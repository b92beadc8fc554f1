// Fusions that several passes share (internal to the room).
#pragma once

#include "passes/rewriter.h"

namespace pare::passes {

// The activation "act" joins the operator "producer": a rewrite of a rule.
bool FuseActivationRule(const Match& m, Patch& p);

}  // namespace pare::passes
