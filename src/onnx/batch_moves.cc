// A batch on its way through operators that move elements, or tell of shapes.
#include <algorithm>
#include <cmath>

#include "onnx/batch_rules.h"

namespace pare::onnx {
namespace {

using graph::Dim;
using graph::Ints;
using graph::Shape;

// The product of sizes [begin, end); −1 where one of them is unknown.
int64_t Product(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) {
    if (!shape[i].known() || __builtin_mul_overflow(product, shape[i].size(), &product)) return -1;
  }
  return product;
}

bool Transpose(Flow& f) {
  if (!f.only_first()) return false;
  Ints perm = f.attrs().ints("perm");
  if (perm.empty()) {
    for (int i = f.rank(0) - 1; i >= 0; --i) perm.push_back(i);
  }
  const auto at = std::ranges::find(perm, f.carry(0)->axis);
  if (at == perm.end()) return false;
  f.Set(0, {static_cast<int>(at - perm.begin()), f.carry(0)->times});
  return true;
}

bool Squeeze(Flow& f) {
  const auto axes = f.ints(1);
  if (!f.only_first() || !axes || f.rank(0) < 0) return false;
  Carry out = *f.carry(0);
  const int from = out.axis;
  for (int64_t axis : *axes) {
    if (axis < 0) axis += f.rank(0);
    if (axis == from) return false;
    out.axis -= axis < from;
  }
  f.Set(0, out);
  return true;
}

bool Unsqueeze(Flow& f) {
  const auto axes = f.ints(1);
  if (!f.only_first() || !axes || f.rank(0) < 0) return false;
  const int rank = f.rank(0) + static_cast<int>(axes->size());
  int old_axis = 0;
  for (int i = 0; i < rank; ++i) {
    const bool inserted = std::ranges::find(*axes, i) != axes->end() ||
                          std::ranges::find(*axes, i - rank) != axes->end();
    if (inserted) continue;
    if (old_axis++ == f.carry(0)->axis) {
      f.Set(0, {i, f.carry(0)->times});
      return true;
    }
  }
  return false;
}

// Where the batch stands in the output of a Reshape: behind as many elements as before.
int ReshapedAxis(const Shape& from, const Shape& to, int axis) {
  const int64_t before = Product(from, 0, axis);
  const int rank = static_cast<int>(to.size());
  if (before < 0) return -1;
  if (axis < rank && Product(to, 0, axis) == before) return axis;
  for (int i = 0; i < rank; ++i) {
    if (Product(to, 0, i) == before) return i;
  }
  return -1;
}

bool Reshape(Flow& f) {
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  if (!f.carry(0) || f.carry(1) || !from || !to) return false;
  const Carry in = *f.carry(0);
  const int axis = ReshapedAxis(*from, *to, in.axis);
  if (axis < 0 || !(*to)[axis].known()) return false;
  const Carry out{axis, (*to)[axis].size()};
  if (f.is_size(1)) {
    if (f.symbolic_axis() != axis || out.times != 1) return false;
    f.Set(0, out);
    return true;
  }
  std::optional<Ints> target = f.ints(1);
  if (!target || target->size() != to->size()) return false;
  f.Set(0, out);
  const bool copies = f.attrs().i("allowzero", 0) == 0;
  const bool same_place = axis == in.axis && out.times == in.times;
  if ((*target)[axis] == -1 || ((*target)[axis] == 0 && copies && same_place)) {
    return !copies || axis == in.axis || in.axis >= std::ssize(*target) || (*target)[in.axis] != 0;
  }
  if (copies && same_place) {
    (*target)[axis] = 0;
  } else {
    for (int i = 0; i < std::ssize(*target); ++i) {
      if (!(*to)[i].known() || (*to)[i].size() == 0) return false;
      (*target)[i] = i == axis ? -1 : (*to)[i].size();
    }
  }
  f.SetTarget(std::move(*target));
  return true;
}

bool Flatten(Flow& f) {
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  const int split = f.axis("axis", 1);
  if (!f.only_first() || !from || !to || split < 0) return false;
  const int axis = f.carry(0)->axis;
  const int out = axis < split ? 0 : 1;
  if (Product(*from, out == 0 ? 0 : split, axis) != 1 || !(*to)[out].known()) return false;
  f.Set(0, {out, (*to)[out].size()});
  return true;
}

bool Concat(Flow& f) {
  int like = 0;
  while (!f.carry(like)) ++like;
  const Carry carry = *f.carry(like);
  const int axis = f.axis("axis", 0);
  if (axis < 0 || axis == carry.axis) return false;
  for (int i = 0; i < f.inputs(); ++i) {
    if (f.carry(i) == carry) continue;
    if (!CanExpand(f, i, carry)) return false;
    f.Expand(i, like);
  }
  f.Set(0, carry);
  return true;
}

bool Slice(Flow& f) {
  constexpr int64_t kToTheEnd = INT32_MAX;
  const auto starts = f.ints(1), ends = f.ints(2), axes = f.ints(3), steps = f.ints(4);
  if (!f.only_first() || !starts || !ends || f.rank(0) < 0 || (f.has_input(3) && !axes) ||
      (f.has_input(4) && !steps) || ends->size() != starts->size() ||
      (axes && axes->size() != starts->size()) || (steps && steps->size() != starts->size())) {
    return false;
  }
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t axis = axes ? (*axes)[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += f.rank(0);
    if (axis != f.carry(0)->axis) continue;
    const bool all = (*starts)[i] == 0 && (*ends)[i] >= kToTheEnd && (!steps || (*steps)[i] == 1);
    if (!all) return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool Pad(Flow& f) {
  const auto pads = f.ints(1);
  const int axis = f.carry(0) ? f.carry(0)->axis : 0;
  if (!f.only_first() || !pads || f.has_input(3) || std::ssize(*pads) != 2 * f.rank(0) ||
      (*pads)[axis] != 0 || (*pads)[axis + f.rank(0)] != 0) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool Gather(Flow& f) {
  const int axis = f.axis("axis", 0);
  if (axis < 0 || f.rank(1) < 0 || f.is_size(0) || f.is_size(1)) return false;
  if (f.carry(0) && f.carry(1)) return false;
  if (const auto indices = f.carry(1)) {
    f.Set(0, {axis + indices->axis, indices->times});
    return true;
  }
  Carry out = *f.carry(0);
  if (out.axis == axis) return false;
  if (out.axis > axis) out.axis += f.rank(1) - 1;
  f.Set(0, out);
  return true;
}

bool Expand(Flow& f) {
  const auto to = f.ints(1);
  if (f.is_size(1) && f.symbolic_axis()) {
    const int axis = *f.symbolic_axis();
    const int own = f.rank(0) < 0 || !f.output_shape()
                        ? -1
                        : axis - static_cast<int>(f.output_shape()->size()) + f.rank(0);
    const bool fits = f.carry(0) ? *f.carry(0) == Carry{own, 1} : own < 0 || f.dim(0, own) == 1;
    if (f.rank(0) < 0 || !fits) return false;
    f.Set(0, {axis, 1});
    return true;
  }
  if (!f.only_first() || !to || f.rank(0) < 0) return false;
  const int rank = std::max(f.rank(0), static_cast<int>(to->size()));
  const int axis = f.carry(0)->axis + rank - f.rank(0);
  const int of_target = axis - (rank - static_cast<int>(to->size()));
  if (of_target >= 0 && (*to)[of_target] != 1) return false;
  f.Set(0, {axis, f.carry(0)->times});
  return true;
}

bool Tile(Flow& f) {
  const auto repeats = f.ints(1);
  if (!f.only_first() || !repeats || f.carry(0)->axis >= std::ssize(*repeats) ||
      (*repeats)[f.carry(0)->axis] != 1) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

// All operands are indexed alike but along `axis`, and all carry the batch elsewhere.
bool ElementsAlongAxis(Flow& f) {
  const auto carry = f.carry(0);
  const int axis = f.axis("axis", 0);
  if (!carry || axis < 0 || axis == carry->axis) return false;
  for (int i = 1; i < f.inputs(); ++i) {
    if (f.carry(i) != carry) return false;
  }
  f.Set(0, *carry);
  return true;
}

// Either the indices carry the batch or, where it is among batch_dims, both operands do.
bool GatherNd(Flow& f) {
  const int64_t shared = f.attrs().i("batch_dims", 0);
  const auto data = f.carry(0), indices = f.carry(1);
  if (!indices || indices->axis >= f.rank(1) - 1) return false;
  const bool fits = data ? data == indices && data->axis < shared : shared <= indices->axis;
  if (!fits) return false;
  f.Set(0, *indices);
  return true;
}

// Each sample has a length of its own.
bool ReverseSequence(Flow& f) {
  const auto carry = f.carry(0), lengths = f.carry(1);
  if (!carry || !lengths || carry->axis != f.axis("batch_axis", 1) || lengths->axis != 0 ||
      lengths->times != carry->times) {
    return false;
  }
  f.Set(0, *carry);
  return true;
}

// Sizes name the batch; scales that give the same sizes don't.
bool ResizeToSizes(Flow& f) {
  const auto sizes = f.ints(3);
  const Shape* from = f.shape(0);
  const bool stretches = f.attrs().s("keep_aspect_ratio_policy", "stretch") == "stretch";
  if (!sizes || !from || sizes->size() != from->size() || !stretches) return false;
  std::vector<float> scales;
  for (size_t i = 0; i < sizes->size(); ++i) {
    const Dim size = (*from)[i];
    if (!size.known() || size.size() < 1) return false;
    scales.push_back(static_cast<float>((*sizes)[i]) / static_cast<float>(size.size()));
    const float scaled = std::floor(static_cast<float>(size.size()) * scales.back());
    if (scaled != static_cast<float>((*sizes)[i])) return false;
  }
  const Carry carry = *f.carry(0);
  if (scales[carry.axis] != 1 || carry.times != 1) return false;
  f.SetScales(std::move(scales));
  f.Set(0, carry);
  return true;
}

bool Resize(Flow& f) {
  if (!f.only_first() || f.attrs().has("axes")) return false;
  if (f.has_input(3)) return !f.has_input(2) && ResizeToSizes(f);
  if (!f.has_input(2)) return false;
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  const int axis = f.carry(0)->axis;
  // Scales that leave one sample as it is leave any number of them.
  if (!from || !to || from->size() != to->size() || f.dim(0, axis) < 0 ||
      (*from)[axis] != (*to)[axis] || f.carry(0)->times != 1) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool ShapeOf(Flow& f) {
  f.SetSizes();
  return true;
}

bool ConstantOfShape(Flow& f) {
  if (!f.symbolic_axis()) return false;
  f.Set(0, {*f.symbolic_axis(), 1});
  return true;
}

constexpr BatchRule kRules[] = {
    {"GatherElements ScatterElements", ElementsAlongAxis},
    {"Shape Size", ShapeOf},
    {"Concat", Concat},
    {"ConstantOfShape", ConstantOfShape},
    {"Expand", Expand},
    {"Flatten", Flatten},
    {"Gather", Gather},
    {"GatherND", GatherNd},
    {"Pad", Pad},
    {"Reshape", Reshape},
    {"Resize", Resize},
    {"ReverseSequence", ReverseSequence},
    {"Slice", Slice},
    {"Squeeze", Squeeze},
    {"Tile", Tile},
    {"Transpose", Transpose},
    {"Unsqueeze", Unsqueeze},
};

}  // namespace

std::span<const BatchRule> BatchRulesOfMoves() { return kRules; }

}  // namespace pare::onnx
