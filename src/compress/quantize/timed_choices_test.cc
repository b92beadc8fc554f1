#include "compress/quantize/timed_choices.h"

#include <gtest/gtest.h>

namespace pare::compress {
namespace {

TEST(TimedChoices, ToFloatGoIntegerLayersThatAreClearlySlowerAndNoTrifle) {
  Scheme scheme;
  for (const char* name : {"slow", "a bit slower", "faster", "trifle", "float", "not timed"}) {
    Layer layer{};
    layer.name = name;
    layer.integer = layer.name != "float";
    scheme.layers.push_back(layer);
  }
  const LayerTimes before{
      {"slow", 1}, {"a bit slower", 1}, {"faster", 1}, {"trifle", 0.01}, {"float", 1}};
  const LayerTimes after{{"slow", 1.1},    {"a bit slower", 1.09}, {"faster", 0.5},
                         {"trifle", 0.02}, {"float", 2},           {"not timed", 5}};
  const auto slow = SlowerThanFloat(scheme, before, after, 10);
  ASSERT_EQ(slow.size(), 1u);
  EXPECT_EQ(slow.at("slow"), "int8 is slower here by 10 % or more: 1.1 ms against 1 ms in float");
  // Of a model that takes less in all it counts.
  EXPECT_EQ(SlowerThanFloat(scheme, before, after, 2).size(), 2u);
}

TEST(TimedChoices, ToSevenBitsGoLayersByWhatTheyGain) {
  const LayerTimes eight{{"a", 1}, {"b", 2}, {"c", 1}, {"other", 9}};
  const LayerTimes seven{{"a", 0.5}, {"b", 1}, {"c", 0.95}, {"other", 1}};
  const auto faster = FasterInSevenBits({"a", "b", "c", "not timed"}, eight, seven, 13);
  ASSERT_EQ(faster.size(), 2u);
  EXPECT_EQ(faster[0].name, "b");
  EXPECT_EQ(faster[1].name, "a");
  EXPECT_EQ(faster[0].why, "7-bit weights are faster here: 1 ms against 2 ms with 8 bits");
}

TEST(TimedChoices, FilesKeepNoTimes) {
  Scheme scheme;
  for (const char* name : {"a", "b"})
    scheme.layers.push_back({.node = {}, .name = name, .op = "Mul", .integer = true, .reason = {}});
  TimedChoices one, other;
  one.to_float = SlowerThanFloat(scheme, {{"a", 1}}, {{"a", 1.5}}, 10);
  other.to_float = SlowerThanFloat(scheme, {{"a", 2}}, {{"a", 2.5}}, 10);
  ASSERT_NE(one.to_float.at("a"), other.to_float.at("a"));
  one.to_float.merge(NotFasterThanFloat(scheme, {{"b", 1}}, {{"b", 1}}, 10));
  other.to_float.merge(NotFasterThanFloat(scheme, {{"b", 2}}, {{"b", 2}}, 10));
  const auto written = [](const TimedChoices& choices) {
    std::vector<LayerReport> layers;
    for (const auto& [name, why] : choices.to_float)
      layers.push_back({.name = name, .op = "Mul", .precision = "float32", .reason = why});
    // Of other origin, it stays whole.
    layers.push_back({.name = "c", .op = "Mul", .precision = "float32", .reason = "c: why"});
    std::string text;
    for (const LayerReport& layer : WithoutTimes(layers, choices)) text += layer.reason + "\n";
    return text;
  };
  EXPECT_EQ(written(one),
            "int8 is slower here by 10 % or more\n"
            "int8 is not clearly faster here, and the model is slower with it\n"
            "c: why\n");
  EXPECT_EQ(written(other), written(one));
}

TEST(TimedChoices, AreReadAsTheyWereWritten) {
  const TimedChoices choices{{{"a:1", "why"}, {std::string("b\0\n", 3), ""}}, {{"c", "7: faster"}}};
  const std::string text = choices.Text();
  const auto back = TimedChoices::Parse(text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->to_float, choices.to_float);
  EXPECT_EQ(back->to_seven_bits, choices.to_seven_bits);
  EXPECT_EQ(TimedChoices().Text(), "");
  EXPECT_TRUE(TimedChoices::Parse("").value().empty());
  for (size_t size = 1; size < text.size(); ++size)
    EXPECT_FALSE(TimedChoices::Parse(text.substr(0, size))) << size;
  EXPECT_FALSE(TimedChoices::Parse(text + "1"));
  EXPECT_FALSE(TimedChoices::Parse("99999999999999999999:"));
}

}  // namespace
}  // namespace pare::compress
