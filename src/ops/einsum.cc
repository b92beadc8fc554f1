// Einsum: sums of products over named axes ("bhqd,bhkd->bhqk"). Every label is a loop; labels that
// the output lacks are summed. This is the plain form: products of matrices are better rewritten.
#include <algorithm>
#include <map>
#include <set>

#include "kernels/number.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/nest.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// A label is a letter, or a number for an axis that "..." stands for, counted from the last.
using Label = int;
using Term = std::vector<Label>;
constexpr Label kDots = -1;  // in a term as it is written

struct Equation {
  std::vector<Term> inputs;
  Term output;
};

Result<Term> ParseTerm(std::string_view text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') continue;
    if (text.substr(i, 3) == "...") {
      term.push_back(kDots);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      term.push_back(text[i]);
    } else {
      return Invalid(Text("\"", text, "\" in its equation"));
    }
  }
  if (std::count(term.begin(), term.end(), kDots) > 1) {
    return Invalid(Text("\"", text, "\" in its equation"));
  }
  return term;
}

// "..." becomes `count` labels.
Term Spread(const Term& term, int count) {
  Term spread;
  for (Label label : term) {
    if (label == kDots) {
      for (int i = count; i-- > 0;) spread.push_back(i);
    } else {
      spread.push_back(label);
    }
  }
  return spread;
}

Result<Equation> Parse(std::string_view text, const std::vector<size_t>& ranks) {
  const size_t arrow = text.find("->");
  std::string_view left = text.substr(0, arrow);
  Equation equation;
  int dots = 0;  // the most axes that "..." stands for
  for (size_t operand = 0; operand < ranks.size(); ++operand) {
    const size_t comma = left.find(',');
    PARE_ASSIGN(const Term term, ParseTerm(left.substr(0, comma)));
    const bool last = operand + 1 == ranks.size();
    if (last != (comma == left.npos)) return Invalid("its equation has another count of operands");
    if (!last) left.remove_prefix(comma + 1);
    const bool open = std::count(term.begin(), term.end(), kDots) != 0;
    const int rest = static_cast<int>(ranks[operand]) - static_cast<int>(term.size()) + open;
    if (rest < 0 || (!open && rest != 0)) {
      return Invalid(Text("operand ", operand, " has ", ranks[operand], " axes"));
    }
    equation.inputs.push_back(Spread(term, rest));
    dots = std::max(dots, rest);
  }
  if (arrow != text.npos) {
    PARE_ASSIGN(const Term term, ParseTerm(text.substr(arrow + 2)));
    equation.output = Spread(term, dots);
    return equation;
  }
  // Without an arrow: "...", then the letters that stand once, in alphabetical order.
  std::map<Label, int> letters;
  for (const Term& term : equation.inputs) {
    for (Label label : term) {
      if (label >= 'A') ++letters[label];
    }
  }
  equation.output = Spread({kDots}, dots);
  for (const auto& [letter, count] : letters) {
    if (count == 1) equation.output.push_back(letter);
  }
  return equation;
}

// The size of each label; 1 broadcasts.
Result<std::map<Label, Dim>> Sizes(const Equation& equation, const std::vector<Shape>& shapes) {
  std::map<Label, Dim> sizes;
  for (size_t operand = 0; operand < shapes.size(); ++operand) {
    for (size_t axis = 0; axis < shapes[operand].size(); ++axis) {
      const Dim dim = shapes[operand][axis];
      const auto [at, fresh] = sizes.emplace(equation.inputs[operand][axis], dim);
      if (fresh) continue;
      PARE_ASSIGN(const Shape both, BroadcastShapes({at->second}, {dim}));
      at->second = both[0];
    }
  }
  for (Label label : equation.output) {
    if (!sizes.contains(label)) return Invalid("a label of its output is in no operand");
    if (std::count(equation.output.begin(), equation.output.end(), label) > 1) {
      return Invalid("a label stands twice in its output");
    }
  }
  return sizes;
}

Status InferEinsum(InferContext& context) {
  std::vector<Shape> shapes;
  std::vector<size_t> ranks;
  for (int i = 0; i < context.inputs(); ++i) {
    const Shape* shape = context.shape(i);
    if (!shape) {
      context.set_output(0, context.dtype(0));
      return {};
    }
    shapes.push_back(*shape);
    ranks.push_back(shape->size());
  }
  PARE_ASSIGN(const Equation equation, Parse(context.attrs().s("equation"), ranks));
  PARE_ASSIGN(const auto sizes, Sizes(equation, shapes));
  Shape out;
  for (Label label : equation.output) out.push_back(sizes.at(label));
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

struct Loop {
  int64_t size;
  std::vector<int64_t> steps;  // of each operand
};

struct EinsumState {
  size_t operands;
  std::vector<Loop> outer, summed;
  int64_t outputs, outputs_per_task, terms;
};

// Adds the way that index `i` of the loops goes in operand `operand`.
int64_t Offset(const std::vector<Loop>& loops, int64_t i, size_t operand) {
  int64_t offset = 0;
  for (size_t loop = loops.size(); loop-- > 0;) {
    offset += i % loops[loop].size * loops[loop].steps[operand];
    i /= loops[loop].size;
  }
  return offset;
}

template <typename T>
void RunEinsum(const StepArgs& args) noexcept {
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  const auto& state = *static_cast<const EinsumState*>(args.state);
  const int64_t end = std::min(args.end * state.outputs_per_task, state.outputs);
  for (int64_t i = args.begin * state.outputs_per_task; i < end; ++i) {
    Sum sum = 0;
    for (int64_t j = 0; j < state.terms; ++j) {
      Sum product = 1;
      for (size_t operand = 0; operand < state.operands; ++operand) {
        const int64_t at = Offset(state.outer, i, operand) + Offset(state.summed, j, operand);
        product *= static_cast<Sum>(kernels::ToNumber(args.in<T>(static_cast<int>(operand))[at]));
      }
      sum += product;
    }
    args.out<T>(0)[i] = kernels::FromNumber<T>(static_cast<kernels::NumberOf<T>>(sum));
  }
}

Status PrepareEinsum(PrepareContext& context) {
  std::vector<Shape> shapes;
  std::vector<size_t> ranks;
  for (int i = 0; i < context.inputs(); ++i) {
    if (context.dtype(i) != context.dtype(0)) {
      return Invalid("its operands have different element types");
    }
    shapes.push_back(*context.input(i).shape);
    ranks.push_back(shapes.back().size());
  }
  PARE_ASSIGN(const Equation equation, Parse(context.attrs().s("equation"), ranks));
  PARE_ASSIGN(const auto sizes, Sizes(equation, shapes));

  std::map<Label, Loop> loops;
  for (const auto& [label, dim] : sizes) {
    loops[label] = {dim.size(), std::vector<int64_t>(shapes.size())};
  }
  for (size_t operand = 0; operand < shapes.size(); ++operand) {
    const Dims steps = DenseSteps(context.shape(static_cast<int>(operand)));
    for (size_t axis = 0; axis < steps.size(); ++axis) {
      // A label that stands twice in one operand walks along its diagonal.
      if (shapes[operand][axis] == Dim(1)) continue;
      loops[equation.inputs[operand][axis]].steps[operand] += steps[axis];
    }
  }
  EinsumState state{shapes.size(), {}, {}, Count(context.output_shape()), 1, 1};
  for (Label label : equation.output) state.outer.push_back(loops.at(label));
  for (Label label : equation.output) loops.erase(label);
  for (const auto& [label, loop] : loops) {
    state.summed.push_back(loop);
    if (__builtin_mul_overflow(state.terms, loop.size, &state.terms)) {
      return Unsupported("it sums more terms than could be counted");
    }
  }
  state.outputs_per_task = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, state.terms));
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) run = RunEinsum<T>;
  });
  if (!run) return Unsupported("it has no meaning for bool");
  const int64_t tasks = (state.outputs + state.outputs_per_task - 1) / state.outputs_per_task;
  AddStepIfAny(
      context,
      {.run = run, .state = context.State(std::move(state)), .tasks = tasks, .kernel = "einsum"});
  return {};
}

// Labels as letters; axes of "..." take those that the equation does not use.
std::map<Label, char> Letters(const std::map<Label, Dim>& sizes) {
  std::map<Label, char> letters;
  char free = 'A';
  for (const auto& [label, size] : sizes) {
    while (label < 'A' && free <= 'z' &&
           (!std::isalpha(static_cast<unsigned char>(free)) || sizes.contains(free)))
      ++free;
    letters[label] = label < 'A' ? free++ : static_cast<char>(label);
  }
  return letters;
}

// dx of one operand: the sum of products of dy with all others, over the labels that it lacks.
class EinsumGrad {
 public:
  EinsumGrad(GradContext& g, const Equation& equation, const std::map<Label, Dim>& sizes)
      : g_(g), equation_(equation), letters_(Letters(sizes)) {}

  Status Give(int i) {
    const Term& term = equation_.inputs[i];
    for (Label label : term) {
      if (std::count(term.begin(), term.end(), label) > 1)
        return Unsupported("a label stands twice in an operand");
    }
    Take(g_.dy(), equation_.output);
    for (int j = 0; j < g_.inputs(); ++j) {
      if (j != i) Take(g_.in(j), equation_.inputs[j]);
    }
    TakeOnes(term, g_.in_shape(i));
    text_ += "->" + Written(term);
    g_.gives(i, g_.emit().Add("Einsum", operands_, {{"equation", text_}}));
    return {};
  }

 private:
  std::string Written(const Term& term) const {
    std::string text;
    for (Label label : term) text += letters_.at(label);
    return text;
  }

  void Take(Var operand, const Term& term) {
    text_ += (operands_.empty() ? "" : ",") + Written(term);
    operands_.push_back(operand);
    taken_.insert(term.begin(), term.end());
  }

  // Labels that no other operand has were summed: each of their elements gets the same.
  void TakeOnes(const Term& term, const Dims& shape) {
    Term alone;
    Dims sizes;
    for (size_t axis = 0; axis < term.size(); ++axis) {
      if (taken_.contains(term[axis])) continue;
      alone.push_back(term[axis]);
      sizes.push_back(shape[axis]);
    }
    if (!alone.empty()) Take(g_.emit().Full(sizes, 1), alone);
  }

  GradContext& g_;
  const Equation& equation_;
  std::map<Label, char> letters_;
  std::vector<Var> operands_;
  std::string text_;
  std::set<Label> taken_;
};

Status GradEinsum(GradContext& g) {
  std::vector<Shape> shapes;
  std::vector<size_t> ranks;
  for (int i = 0; i < g.inputs(); ++i) {
    shapes.push_back(*g.input(i).shape);
    ranks.push_back(shapes.back().size());
  }
  PARE_ASSIGN(const Equation equation, Parse(g.attrs().s("equation"), ranks));
  PARE_ASSIGN(const auto sizes, Sizes(equation, shapes));
  if (sizes.size() > 52) return Unsupported("its equation has more labels than there are letters");
  for (int i = 0; i < g.inputs(); ++i) {
    if (g.wants(i)) PARE_TRY(EinsumGrad(g, equation, sizes).Give(i));
  }
  return {};
}

void TieEinsum(ChannelContext& c) {
  std::vector<size_t> ranks;
  for (int i = 0; i < c.inputs(); ++i) {
    if (c.rank(i) < 0) return;
    ranks.push_back(static_cast<size_t>(c.rank(i)));
  }
  const auto equation = Parse(c.attrs().s("equation"), ranks);
  if (!equation) return;
  std::map<Label, Place> first;
  const auto tie = [&](int operand, const Term& term) {
    for (size_t axis = 0; axis < term.size(); ++axis) {
      const Place place{operand, static_cast<int>(axis)};
      if (c.size(place) == 1) continue;  // broadcast
      const auto [at, fresh] = first.emplace(term[axis], place);
      if (!fresh) c.Tie(at->second, place);
    }
  };
  for (int i = 0; i < c.inputs(); ++i) tie(i, equation->inputs[i]);
  tie(-1, equation->output);
}

}  // namespace

extern constinit const OpDef kEinsum{
    .name = "Einsum",
    .inputs = {{{"x", Presence::kVariadic}}},
    .outputs = {{{"y"}}},
    .infer = InferEinsum,
    .prepare = PrepareEinsum,
    .grad = {.emit = GradEinsum},
    .quant = {.inputs = {{{Role::kActivation}}}, .keep_float = "pare has no integer form of it"},
    .channels = {.tie = TieEinsum},
    .cost = PerElement<2>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
