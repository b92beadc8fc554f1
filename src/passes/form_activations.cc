// Activations that exporters write out, by their formulas.
#include <cmath>
#include <numbers>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using std::numbers::inv_sqrtpi;
using std::numbers::sqrt2;

Pattern Add(const Pattern& a, const Pattern& b) { return Op({"Add"})(a, b).UsedOnce(); }
Pattern Mul(const Pattern& a, const Pattern& b) { return Op({"Mul"})(a, b).UsedOnce(); }
Pattern Div(const Pattern& a, const Pattern& b) { return Op({"Div"})(a, b).UsedOnce(); }
Pattern Root(const Pattern& a, const Pattern& b) { return Op({"Mul"}, "y")(a, b); }

Pattern X() { return Any("x"); }

// y has the type of x: the scalars have no more dimensions than it.
bool Becomes(const Match& m, Patch& p, std::string op, graph::Attrs attrs = {}) {
  const graph::TensorType &x = m.type("x"), &y = m.type("y");
  if (x != y || !x.has_rank()) return false;
  return p.Replace(m["y"], NodeSpec{std::move(op), {m["x"]}, std::move(attrs), m.node("y").name});
}

bool BecomesGelu(const Match& m, Patch& p) { return Becomes(m, p, "Gelu"); }
bool BecomesTanhGelu(const Match& m, Patch& p) {
  return Becomes(m, p, "Gelu", {{"approximate", std::string("tanh")}});
}
bool BecomesHardSwish(const Match& m, Patch& p) { return Becomes(m, p, "HardSwish"); }
bool BecomesHardSigmoid(const Match& m, Patch& p) {
  return Becomes(m, p, "HardSigmoid", {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
}
bool BecomesSilu(const Match& m, Patch& p) { return Becomes(m, p, "pare.Silu"); }

// ½ · x · e, whichever product comes first.
void AddHalfProducts(std::vector<Rule>& rules, std::string_view name, const Pattern& e,
                     bool (*rewrite)(const Match&, Patch&)) {
  const Pattern half = Scalar(0.5f);
  rules.push_back({name, Root(Mul(X(), e), half), rewrite});
  rules.push_back({name, Root(Mul(X(), half), e), rewrite});
  rules.push_back({name, Root(Mul(half, e), X()), rewrite});
}

std::vector<Rule> GeluRules() {
  std::vector<Rule> rules;
  const Pattern scaled[] = {Div(X(), Scalar(static_cast<float>(sqrt2))),
                            Mul(X(), Scalar(static_cast<float>(1 / sqrt2)))};
  for (const Pattern& argument : scaled) {
    const Pattern e = Add(Op({"Erf"})(argument).UsedOnce(), Scalar(1));
    AddHalfProducts(rules, "form-gelu", e, BecomesGelu);
  }
  const Pattern cubes[] = {Op({"Pow"})(X(), Scalar(3)).UsedOnce(), Mul(X(), Mul(X(), X()))};
  for (const Pattern& cube : cubes) {
    const Pattern argument =
        Mul(Scalar(static_cast<float>(sqrt2 * inv_sqrtpi)), Add(X(), Mul(Scalar(0.044715f), cube)));
    const Pattern e = Add(Op({"Tanh"})(argument).UsedOnce(), Scalar(1));
    AddHalfProducts(rules, "form-gelu-tanh", e, BecomesTanhGelu);
  }
  return rules;
}

std::vector<Rule> HardRules() {
  const Pattern relu6 = Op({"Clip"})(Add(X(), Scalar(3)), Scalar(0), Scalar(6)).UsedOnce();
  const Pattern sixth = Scalar(1.0f / 6), six = Scalar(6);
  const Pattern hard_sigmoid =
      Op({"HardSigmoid"})(X()).UsedOnce().Where([](const graph::Graph& g, graph::ValueId id) {
        const graph::Attrs& attrs = g.producer_of(id)->attrs;
        return std::abs(attrs.f("alpha", 0.2f) - 1.0f / 6) < 1e-6f && attrs.f("beta", 0.5f) == 0.5f;
      });
  const auto root_div = [](const Pattern& a, const Pattern& b) { return Op({"Div"}, "y")(a, b); };
  return {
      {"form-hard-swish", Root(X(), hard_sigmoid), BecomesHardSwish},
      {"form-hard-swish", root_div(Mul(X(), relu6), six), BecomesHardSwish},
      {"form-hard-swish", Root(Mul(X(), relu6), sixth), BecomesHardSwish},
      {"form-hard-swish", Root(X(), Div(relu6, six)), BecomesHardSwish},
      {"form-hard-swish", Root(X(), Mul(relu6, sixth)), BecomesHardSwish},
      {"form-hard-sigmoid", root_div(relu6, six), BecomesHardSigmoid},
      {"form-hard-sigmoid", Root(relu6, sixth), BecomesHardSigmoid},
      {"form-silu", Root(X(), Op({"Sigmoid"})(X()).UsedOnce()), BecomesSilu},
  };
}

}  // namespace

Status FormActivations(PassContext& context) {
  static const std::vector<Rule> rules = [] {
    std::vector<Rule> all = GeluRules();
    for (Rule& rule : HardRules()) all.push_back(std::move(rule));
    return all;
  }();
  return Rewrite(context, rules);
}

}  // namespace pare::passes
