#include "cli/report.h"

#include <gtest/gtest.h>

namespace pare::cli {
namespace {

using compress::LayerReport;

LayerReport Decided(std::string name, std::string op, std::string precision, std::string reason) {
  return {.name = std::move(name),
          .op = std::move(op),
          .precision = std::move(precision),
          .reason = std::move(reason)};
}

TEST(JoinLayers, GivesMeasuredLayersTheirReasons) {
  const std::vector<LayerReport> decided = {Decided("a", "Conv", "float32", "asked for"),
                                            Decided("a", "Relu", "float32", "asked for"),
                                            Decided("b", "Gemm", "int8", "")};
  LayerReport measured_b = Decided("b", "Gemm", "int8", ""),
              measured_c = Decided("c", "Softmax", "float32", "");
  measured_b.snr_db = 30;
  measured_b.b_ms = 0.5;
  const auto joined = JoinLayers(decided, {measured_b, measured_c});
  ASSERT_EQ(joined.size(), 3u);
  EXPECT_EQ(joined[0].op, "Conv");
  EXPECT_EQ(joined[0].reason, "asked for");
  EXPECT_EQ(joined[1].snr_db, 30);
  EXPECT_EQ(joined[1].b_ms, 0.5);
  EXPECT_EQ(joined[2].name, "c");
}

compress::Comparison SmallComparison() {
  compress::Comparison c;
  c.quantized = true;
  c.quality.top1_a = 90;
  c.quality.top1_b = 89.5;
  c.quality.agreement = 98;
  c.quality.top1_a_bounds = {87, 92};
  c.quality.top1_b_bounds = {86.5, 91.75};
  c.quality.top1_change = {-1.5, 0.5};
  c.bytes_a = 4'000'000;
  c.bytes_b = 1'000'000;
  c.time.sides = {{.ms = {2, 1.9, 2.1, 1.8}, .layers = {}},
                  {.ms = {1, 0.9, 1.1, 0.8}, .layers = {}}};
  c.time.speedup = {2, 1.8, 2.2, 1.7};
  c.layers = {Decided("out", "Softmax", "float32", "needs more than 8 bits"),
              Decided("\xff", "Conv", "int8", "")};
  c.layers[1].snr_db = 25;
  c.layers[1].cosine = 0.9984;
  return c;
}

TEST(Warnings, SayWhereTheTimeGoes) {
  compress::Comparison c = SmallComparison();
  c.time.speedup = {0.8, 0.7, 0.9, 0.6};
  const auto why = [&] { return Warnings({c, "float", "int8"}).at(0); };
  EXPECT_NE(why().find("in layers this small"), std::string::npos) << why();
  compress::LayerReport &in_float = c.layers[0], &in_int8 = c.layers[1];
  in_int8.a_ms = 1;
  in_int8.b_ms = 1.5;
  in_float.a_ms = in_float.b_ms = 0.5;
  EXPECT_NE(why().find("(Conv): 1.00 ms before, 1.50 ms after"), std::string::npos) << why();
  in_float.b_ms = 2;
  EXPECT_NE(why().find("layers left in float take 57 %"), std::string::npos) << why();
}

TEST(Warnings, AreSaidWhereInt8IsSlowerOrLarger) {
  compress::Comparison c = SmallComparison();
  EXPECT_TRUE(Warnings({c, "float", "int8"}).empty());
  c.time.speedup = {0.8, 0.7, 1.1, 0.6};  // may be as fast
  EXPECT_TRUE(Warnings({c, "float", "int8"}).empty());
  c.time.speedup.high = 0.9;
  c.bytes_b = 4'005'000;
  const auto lines = Warnings({c, "float", "int8"});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].starts_with("no gain in time: int8 takes 1.25× as long as float"))
      << lines[0];
  EXPECT_TRUE(lines[1].starts_with("no gain in size: int8 is 5.00 kB larger")) << lines[1];
  EXPECT_NE(ComparisonText({c, "float", "int8"}).find(lines[0]), std::string::npos);
  EXPECT_NE(NotesJson({"a note"}, {c, "float", "int8"}).Text().find("no gain in size"),
            std::string::npos);
  c.saturation = {.samples = 64, .snr_db = 30, .snr_db_saturating = 29};
  EXPECT_EQ(Warnings({c, "float", "int8"}).size(), 2u);  // hardly worse
  c.saturation->snr_db_saturating = 20;
  c.saturation->top1 = 90;
  c.saturation->top1_saturating = 70.5;
  const auto saturating = Warnings({c, "float", "int8"});
  ASSERT_EQ(saturating.size(), 3u);
  for (const char* part :
       {"without VNNI", "is 10.0 times as large", "top-1 70.50 % in place of 90.00 %",
        "(64 samples)", "--overflow-safe always"}) {
    EXPECT_NE(saturating[2].find(part), std::string::npos) << saturating[2];
  }
  c.quantized = false;  // another float model may be slower
  EXPECT_TRUE(Warnings({c, "float", "int8"}).empty());
}

TEST(ComparisonText, IsOneTableAndWhatToKnow) {
  const compress::Comparison comparison = SmallComparison();
  EXPECT_EQ(ComparisonText({comparison, "float", "int8"}),
            "                           float                  int8\n"
            "  top-1      90.00 % (87.0–92.0)   89.50 % (86.5–91.8)  −0.50 points (−1.5 to +0.5)\n"
            "  agreement                                    98.00 %  same first class\n"
            "  size                   4.00 MB               1.00 MB  25.0 %\n"
            "  time       2.00 ms (1.90–2.10)  1.00 ms (0.900–1.10)  2.00× (1.80–2.20)\n"
            "  (in brackets: with 95 % confidence)\n"
            "\n"
            "layers in float (1 of 2):\n"
            "  out  Softmax  needs more than 8 bits\n"
            "\n"
            "layers that lose most (all: --layers):\n"
            "  layer  op    type  SNR dB  cosine  before ms  after ms\n"
            "  \\xff   Conv  int8    25.0  0.9984          –         –\n");
}

TEST(SetComparison, HasAllMembersAndNullWhereUnknown) {
  Json json = Json::Object();
  SetComparison(json, SmallComparison());
  const std::string text = json.Text();
  for (const char* part :
       {"\"top1_a\": 90,", "\"top5_a\": null", "\"cosine\": null", "\"cosine\": 0.9984",
        "\"top1_a_low\": 87,", "\"top1_change_low\": -1.5", "\"agreement_high\": null",
        "\"a\": {\"median\": 2, \"low\": 1.9, \"high\": 2.1}", "\"speedup\": 2,",
        "\"bytes\": {\"a\": 4000000, \"b\": 1000000}", "\"reason\": \"needs more than 8 bits\"",
        "\"name\": \"\\\\xff\"", "\"a_ms\": null"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << '\n' << text;
  }
}

}  // namespace
}  // namespace pare::cli
