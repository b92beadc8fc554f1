#include "ops/channels.h"

#include <algorithm>
#include <map>

namespace pare::ops {
namespace {

// The labels of one operand's axes, the star spread; '*' for axes that it stands for. Nothing where
// the rank does not fit.
std::optional<std::string> SpreadLabels(std::string_view text, int rank) {
  const size_t star = text.find('*');
  const int named = static_cast<int>(text.size()) - (star == text.npos ? 0 : 1);
  if (rank < named || (star == text.npos && rank != named)) return std::nullopt;
  std::string labels(text);
  if (star != text.npos) labels.replace(star, 1, std::string(rank - named, '*'));
  return labels;
}

// "nc*,oc*,o->no*"
void TieByText(ChannelContext& context, std::string_view text) {
  const size_t arrow = text.find("->");
  std::vector<std::string_view> inputs;
  std::string_view left = text.substr(0, arrow);
  while (true) {
    const size_t comma = left.find(',');
    inputs.push_back(left.substr(0, comma));
    if (comma == left.npos) break;
    left.remove_prefix(comma + 1);
  }
  TieLabels(context, inputs, text.substr(arrow + 2));
}

}  // namespace

const graph::Value* ChannelContext::value(int operand) const {
  const auto& ids = operand >= 0 ? node_.inputs : node_.outputs;
  const size_t at = static_cast<size_t>(operand >= 0 ? operand : -1 - operand);
  if (at >= ids.size() || ids[at] == graph::ValueId::kNone) return nullptr;
  return &graph_.value(ids[at]);
}

bool ChannelContext::has(int operand) const { return value(operand) != nullptr; }

int ChannelContext::rank(int operand) const {
  const graph::Value* operand_value = value(operand);
  return operand_value && operand_value->type.has_rank() ? operand_value->type.rank() : -1;
}

int64_t ChannelContext::size(Place place) const {
  if (place.axis < 0 || place.axis >= rank(place.operand)) return -1;
  const graph::Dim dim = (*value(place.operand)->type.shape)[place.axis];
  return dim.known() ? dim.size() : -1;
}

int ChannelContext::axis(std::string_view name, int64_t otherwise) const {
  const auto axis = NormalizeAxis(attrs().i(name, otherwise), std::max(rank(0), 0));
  return axis ? *axis : -1;
}

std::optional<std::vector<int64_t>> ChannelContext::ints(int input) const {
  const Tensor* tensor = constant(input);
  if (!tensor) return std::nullopt;
  auto values = ToInt64s(*tensor);
  return values ? std::optional(std::move(*values)) : std::nullopt;
}

void ChannelContext::Tie(Place a, Place b) {
  if (size(a) == size(b)) TieRange(a, 0, b, 0, size(a));
}

void ChannelContext::TieRange(Place a, int64_t a_begin, Place b, int64_t b_begin, int64_t count) {
  for (int64_t i = 0; i < count; ++i) TiePosition(a, a_begin + i, b, b_begin + i);
}

void ChannelContext::TieFactor(Place whole, Place part, int64_t inner) {
  const int64_t parts = size(part);
  if (parts <= 0 || inner <= 0) return;
  for (int64_t p = 0; p < size(whole); ++p) TiePosition(whole, p, part, p / inner % parts);
}

void ChannelContext::TieBlocks(Place place, int64_t block) {
  if (block <= 0) return;
  for (int64_t p = 0; p < size(place); ++p) TiePosition(place, p, place, p / block * block);
}

void ChannelContext::TiePeriods(Place place, int64_t period) {
  if (period <= 0) return;
  for (int64_t p = 0; p < size(place); ++p) TiePosition(place, p, place, p % period);
}

void ChannelContext::Fix(Place place, std::string why) {
  fixed_.push_back({place, std::move(why)});
}

void ChannelContext::Mix(Place place, std::string why) {
  mixed_.push_back({place, std::move(why)});
}

void TieChannels(const OpDef* op, ChannelContext& context) {
  if (!op) return;
  if (op->channels.tie) {
    op->channels.tie(context);
  } else if (!op->channels.axes.empty()) {
    TieByText(context, op->channels.axes);
  }
}

void TieElementwise(ChannelContext& context) {
  for (int o = 0; o < context.outputs(); ++o) {
    const int rank = context.rank(-1 - o);
    for (int i = 0; i < context.inputs(); ++i) {
      const int own = context.rank(i);
      for (int axis = 0; axis < own; ++axis) {
        context.Tie(In(i, axis), Out(axis + rank - own, o));
      }
    }
  }
}

void TieLabels(ChannelContext& context, std::span<const std::string_view> inputs,
               std::string_view output) {
  std::map<char, Place> first;
  const auto add = [&](int operand, std::string_view text) {
    if (!context.has(operand)) return;
    const auto labels = SpreadLabels(text, context.rank(operand));
    if (!labels) return;
    for (int axis = 0; axis < std::ssize(*labels); ++axis) {
      if ((*labels)[axis] == '*') continue;
      const auto [at, fresh] = first.emplace((*labels)[axis], Place{operand, axis});
      if (!fresh) context.Tie(at->second, {operand, axis});
    }
  };
  for (int i = 0; i < std::ssize(inputs); ++i) add(i, inputs[i]);
  add(-1, output);
}

int64_t ChannelEdit::KeptWithin(Place place, int64_t begin, int64_t end) const {
  const Kept* kept = kept_(place);
  if (!kept) return std::max<int64_t>(0, end - begin);
  return std::ranges::count_if(*kept, [&](int64_t p) { return begin <= p && p < end; });
}

Status ChannelEdit::SetInts(int input, std::string_view what, const std::vector<int64_t>& values) {
  const DType dtype = has_input(input) ? type(input).dtype : DType::kI64;
  Dims shape{static_cast<int64_t>(values.size())};
  if (const Tensor* old = constant(input); old && old->count() == std::ssize(values)) {
    shape = old->shape();
  }
  PARE_ASSIGN(Tensor data, Cast(Tensor::Of<int64_t>(shape, values), dtype));
  std::string name = Text(graph_.value(node_.outputs[0]).name, '_', what);
  const graph::ValueId id = after_.AddConstant(after_.FreshName(name), std::move(data));
  while (after_.node(id_).inputs.size() <= static_cast<size_t>(input)) {
    after_.AppendInput(id_, graph::ValueId::kNone);
  }
  after_.SetInput(id_, input, id);
  return {};
}

}  // namespace pare::ops
