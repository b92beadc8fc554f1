#include "compress/quantize/slow_layers.h"

#include <gtest/gtest.h>

namespace pare::compress {
namespace {

TEST(SlowLayers, AreIntegerClearlySlowerAndNoTrifle) {
  Scheme scheme;
  for (const char* name : {"slow", "a bit slower", "faster", "trifle", "float", "not timed"}) {
    Layer layer{};
    layer.name = name;
    layer.integer = layer.name != "float";
    scheme.layers.push_back(layer);
  }
  const std::map<std::string, double> before{
      {"slow", 1}, {"a bit slower", 1}, {"faster", 1}, {"trifle", 0.01}, {"float", 1}};
  const std::map<std::string, double> after{{"slow", 1.1},   {"a bit slower", 1.09},
                                            {"faster", 0.5}, {"trifle", 0.02},
                                            {"float", 2},    {"not timed", 5}};
  const auto slow = SlowerThanFloat(scheme, before, after, 10);
  ASSERT_EQ(slow.size(), 1u);
  EXPECT_EQ(slow.at("slow"), "int8 is slower here by 10 % or more: 1.1 ms against 1 ms in float");
  // Of a model that takes less in all it counts.
  EXPECT_EQ(SlowerThanFloat(scheme, before, after, 2).size(), 2u);
}

}  // namespace
}  // namespace pare::compress
