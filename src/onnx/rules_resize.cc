// Upsample became Resize in opset 10, which got its modes in 11 and optional inputs in 13.
#include <algorithm>

#include "onnx/changes.h"

namespace pare::onnx {
namespace {

using graph::ValueId;

constexpr std::string_view kTransform = "coordinate_transformation_mode";

// What Resize of opset 10 did with a place between two: ONNX Runtime rounds down, and up where the
// picture becomes smaller.
std::string RoundingOf(const Tensor* scales) {
  bool smaller = false;
  if (scales && scales->dtype() == DType::kF32) {
    const auto values = scales->as<float>();
    smaller = std::any_of(values.begin(), values.end(), [](float scale) { return scale < 1; });
  }
  return smaller ? "ceil" : "floor";
}

bool IsNearest(const Migration& m) { return m.attrs().s("mode", "nearest") == "nearest"; }

}  // namespace

Status UpgradeUpsample7(const Migration& m) {
  const float height = m.attrs().f("height_scale", 1), width = m.attrs().f("width_scale", 1);
  m.attrs().erase("height_scale");
  m.attrs().erase("width_scale");
  m.attrs().set("scales", graph::Floats{1, 1, height, width});
  return {};
}

Status UpgradeUpsample10(const Migration& m) {
  m.node().op = "Resize";
  if (m.attrs().s("mode") == "bilinear") m.attrs().set("mode", std::string("linear"));
  return {};
}

Status DowngradeResize10(const Migration& m) {
  m.node().op = "Upsample";
  return {};
}

Status UpgradeResize11(const Migration& m) {
  const ValueId scales = m.input(1);
  m.SetInput(2, scales);
  m.SetInput(1, ValueId::kNone);
  m.attrs().set(kTransform, std::string("asymmetric"));
  if (IsNearest(m)) m.attrs().set("nearest_mode", RoundingOf(m.constant(2)));
  return {};
}

Status DowngradeResize11(const Migration& m) {
  const bool old_form = m.attrs().s(kTransform, "half_pixel") == "asymmetric" &&
                        m.input(1) == ValueId::kNone && m.input(2) != ValueId::kNone &&
                        m.input(3) == ValueId::kNone && m.attrs().s("mode", "nearest") != "cubic" &&
                        (!IsNearest(m) || m.attrs().s("nearest_mode", "round_prefer_floor") ==
                                              RoundingOf(m.constant(2)));
  if (!old_form) return NotBefore(m);
  const ValueId scales = m.input(2);
  m.SetInput(2, ValueId::kNone);
  m.SetInput(1, scales);
  m.TrimInputs();
  m.attrs().erase(kTransform);
  m.attrs().erase("nearest_mode");
  return {};
}

// Until opset 12 an absent roi or scale was an empty tensor; newer files have them so, too.
Status DowngradeResize13(const Migration& m) {
  if (m.opset < 11) return {};  // the form before has neither
  const std::pair<int, const char*> required[] = {{1, "roi"}, {2, "scales"}};
  for (const auto& [i, what] : required) {
    if (m.input(i) == ValueId::kNone) m.SetConstant(i, what, Tensor::Of<float>({0}, {}));
  }
  return {};
}

}  // namespace pare::onnx
