// A graph of static shapes, ready to run: steps with kernels chosen, weights packed, memory laid
// out. Immutable after Compile; shared by threads, unless the graph assigns states: these lie in
// the bytes that the graph gave them, for all plans that share them, and one run at a time may move
// them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/prepare.h"
#include "platform/cpu.h"

namespace pare::runtime {

// Where the bytes of an operand are.
struct Location {
  enum class Kind : uint8_t { kNone, kInput, kOutput, kConstant, kArena };
  Kind kind = Kind::kNone;
  size_t index = 0;                // of the graph's input or output; the offset into the arena
  const void* constant = nullptr;  // kConstant
};

struct PlanNode {
  std::string name;  // of its first output: the layer's name
  std::string op;
  graph::NodeId id;
  std::vector<Location> inputs, outputs, temps;
  std::vector<ops::Step> steps;
};

// A pinned value: what an observer sees when its node is done.
struct PinnedValue {
  size_t node;  // the value is complete before this index in Plan::nodes: 0 for an input
  std::string name;
  graph::TensorType type;
  Location at;
  bool channels_last;  // dimension 1 … of the source is the last one here
};

// After the last node: into an output that is an input, a constant or another output; or into a
// state that could not be written while its old content was still read.
struct Copy {
  Location from, to;
  size_t bytes;
};

struct Plan {
  std::vector<PlanNode> nodes;
  std::vector<Copy> copies;  // after the last node
  std::vector<PinnedValue> pinned;
  std::vector<graph::TensorType> input_types, output_types;
  std::vector<std::string> input_names, output_names;
  size_t arena_bytes = 0;
  size_t scratch_bytes = 0;  // for each worker
  graph::Graph graph;        // keeps the constants' bytes
  std::vector<std::shared_ptr<const void>> keep;
};

// What stages share, passed explicitly. The pack cache outlives the plans made with it.
struct CompileContext {
  const Cpu& cpu;
  ops::PackCache& packs;
};

// All types of `graph` must be static (passes::BindShapes). Errors name the node.
Result<std::shared_ptr<const Plan>> Compile(graph::Graph graph, const CompileContext& context);

}  // namespace pare::runtime
