// The driver of rewrites: finds where rules match, applies their patches, and holds them to the
// law: a patch gives each value that it replaces the same type, and never removes what is seen
// outside.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "ops/node_view.h"
#include "passes/patch.h"
#include "passes/pattern.h"

namespace pare::passes {

// What all passes of one run share. Types are valid when a pass begins, and when it ends.
class PassContext {
 public:
  using Switch = std::function<bool(std::string_view rule)>;
  // `max_patches` < 0: no limit. `enabled`: which rules take part; all where it is empty.
  explicit PassContext(graph::Graph& graph, int64_t max_patches = -1, Switch enabled = {})
      : graph_(graph), patches_left_(max_patches), enabled_(std::move(enabled)) {}

  graph::Graph& graph() { return graph_; }
  ops::KnownDims& dims() { return dims_; }
  Status Infer();  // all types anew

  // Every change asks first, and is counted under the rule's name. False: the limit is reached
  // or the rule switched off: the change must not be made. (A wrong rewrite is found by halving the
  // limit.)
  bool Allow(std::string_view rule);
  // A rule whose patch breaks the law is an error; else it is left out there, and a file that is
  // odd in a way which the rule doesn't know runs all the same.
  bool strict() const { return strict_; }
  void set_strict(bool strict) { strict_ = strict; }
  bool exhausted() const { return patches_left_ == 0; }
  // Changes by rule since the last call.
  std::map<std::string, int, std::less<>> TakeCounts() { return std::exchange(counts_, {}); }

 private:
  graph::Graph& graph_;
  ops::KnownDims dims_;
  int64_t patches_left_;
  bool strict_ = true;
  Switch enabled_;
  std::map<std::string, int, std::less<>> counts_;
};

// A rule: what to look for, and what stands there instead. `rewrite` describes the patch, or
// returns false where the match is not what it needs after all; what it added is then taken back.
struct Rule {
  std::string_view name;  // kebab-case, unique
  Pattern match;          // rooted at the node whose output is replaced
  bool (*rewrite)(const Match&, Patch&);
};

// Applies the rules wherever they match until none does, later matches seeing earlier patches. Of
// several rules that match a node the first wins. Errors name the rule and the node.
Status Rewrite(PassContext& context, std::span<const Rule> rules);

}  // namespace pare::passes
