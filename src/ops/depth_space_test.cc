#include "ops/testing.h"

namespace pare::ops {
namespace {

TEST(DepthToSpace, BothModesBothLayoutsAndBack) {
  for (const char* mode : {"DCR", "CRD"}) {
    const int64_t b = 2, c = 3, h = 2, w = 3;
    const Tensor x = RandomTensor({2, c * b * b, h, w}, 1);
    graph::Attrs attrs{{"blocksize", b}, {"mode", mode}};
    const auto y = RunNode("DepthToSpace", {x}, attrs);
    ASSERT_TRUE(y) << y.error().message();
    ASSERT_EQ((*y)[0].shape(), (Dims{2, c, h * b, w * b}));
    const bool depth_first = mode[0] == 'D';
    for (int64_t i = 0; i < x.count(); ++i) {
      const int64_t col = i % (w * b), row = i / (w * b) % (h * b),
                    channel = i / (w * b * h * b) % c;
      const int64_t image = i / (w * b * h * b * c), tap = row % b * b + col % b;
      const int64_t from = depth_first ? tap * c + channel : channel * b * b + tap;
      const int64_t at = ((image * c * b * b + from) * h + row / b) * w + col / b;
      ASSERT_EQ((*y)[0].as<float>()[i], x.as<float>()[at]);
    }
    attrs.set("channels_last", int64_t{1});
    const auto last = RunNode("DepthToSpace", {ChannelsLast(x)}, attrs);
    ASSERT_TRUE(last);
    ExpectSame(ChannelsFirst((*last)[0]), (*y)[0]);
    if (!depth_first) continue;
    const auto back = RunNode("SpaceToDepth", {(*y)[0]}, {{"blocksize", b}});
    const auto back_last = RunNode("SpaceToDepth", {(*last)[0]}, attrs);
    ASSERT_TRUE(back && back_last);
    ExpectSame((*back)[0], x);
    ExpectSame(ChannelsFirst((*back_last)[0]), x);
  }
  EXPECT_FALSE(
      RunNode("DepthToSpace", {RandomTensor({1, 5, 2, 2}, 1)}, {{"blocksize", int64_t{2}}}));
}

}  // namespace
}  // namespace pare::ops
