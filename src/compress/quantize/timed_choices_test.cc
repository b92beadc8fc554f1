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
