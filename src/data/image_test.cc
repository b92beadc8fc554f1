#include "data/image.h"

#include <gtest/gtest.h>

#include "base/cursor.h"
#include "data/preprocess.h"
#include "data/test_pictures.h"

namespace pare::data {
namespace {

std::vector<int> Values(const Tensor& image) {
  const auto pixels = image.as<uint8_t>();
  return {pixels.begin(), pixels.end()};
}

Result<Tensor> Decode(std::string_view bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  return DecodeImage(std::as_bytes(std::span(exact)));
}

int WorstDifference(const Tensor& a, const Tensor& b) {
  int worst = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    worst = std::max(worst, std::abs(a.as<uint8_t>()[i] - b.as<uint8_t>()[i]));
  }
  return worst;
}

TEST(Image, PngIsExact) {
  const Tensor image = Gradient(5, 7);
  const auto decoded = Decode(PngOf(image));
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(decoded->shape(), image.shape());
  EXPECT_EQ(Values(*decoded), Values(image));
}

TEST(Image, PngOfOtherKindsBecomesRgb) {
  const uint8_t grey[] = {0, 100, 255};
  EXPECT_EQ(Values(Decode(PngOf(grey, 1, 3, PNG_FORMAT_GRAY)).value()),
            (std::vector<int>{0, 0, 0, 100, 100, 100, 255, 255, 255}));
  const uint8_t rgba[] = {1, 2, 3, 0, 4, 5, 6, 128};  // transparency is dropped, not blended
  EXPECT_EQ(Values(Decode(PngOf(rgba, 1, 2, PNG_FORMAT_RGBA)).value()),
            (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST(Image, JpegIsClose) {
  const Tensor smooth = Filled(16, 24, 90);
  const auto decoded = Decode(JpegOf(smooth));
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(decoded->shape(), smooth.shape());
  EXPECT_LE(WorstDifference(*decoded, smooth), 1);
  Tensor grey = Tensor::Make(DType::kU8, {8, 8, 1}).value();
  std::memset(grey.mutable_data(), 77, grey.bytes());
  EXPECT_LE(WorstDifference(Decode(JpegOf(grey, 1)).value(), Filled(8, 8, 77)), 1);
}

// libjpeg marks four channels as Adobe's, whose inks are inverted: 255 is none.
TEST(Image, JpegOfFourInks) {
  Tensor inks = Tensor::Make(DType::kU8, {8, 8, 4}).value();
  for (int64_t i = 0; i < 64; ++i) {
    const uint8_t pixel[] = {255, 0, 255, 200};
    std::memcpy(inks.mutable_data() + 4 * i, pixel, 4);
  }
  const auto decoded = Decode(JpegOf(inks, 4));
  ASSERT_TRUE(decoded) << decoded.error().message();
  const auto pixel = decoded->as<uint8_t>();
  EXPECT_NEAR(pixel[0], 200, 2);
  EXPECT_NEAR(pixel[1], 0, 2);
  EXPECT_NEAR(pixel[2], 200, 2);
}

TEST(Image, DamageIsAnErrorNeverACrash) {
  for (const std::string& good : {PngOf(Gradient(20, 30)), JpegOf(Gradient(20, 30))}) {
    ASSERT_TRUE(Decode(good));
    for (const size_t length : {size_t{0}, size_t{3}, size_t{20}, good.size() / 2}) {
      EXPECT_FALSE(Decode(good.substr(0, length))) << length;
    }
    for (size_t at = 0; at < good.size(); at += 7) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0xff);
      const auto decoded = Decode(bad);
      EXPECT_TRUE(!decoded || decoded->rank() == 3);
    }
  }
  EXPECT_FALSE(Decode("GIF89a"));
  const std::string large = PngOf(Gradient(20, 30));
  EXPECT_FALSE(DecodeImage(BytesOf(large), 599));
  EXPECT_TRUE(DecodeImage(BytesOf(large), 600));
}

TEST(Image, Extensions) {
  for (const char* name : {"a.jpg", "b.JPEG", "c.d.Png"}) EXPECT_TRUE(HasImageExtension(name));
  for (const char* name : {"a.gif", "jpg", "a.jpg.txt", ""}) EXPECT_FALSE(HasImageExtension(name));
}

// Expected values from Pillow's Image.resize((w, h), Image.BILINEAR).
TEST(Resize, SameBitsAsPillow) {
  const Tensor image = Gradient(5, 7);
  EXPECT_EQ(Values(ResizeBilinear(image, 3, 4).value()),
            (std::vector<int>{24, 77,  130, 82,  135, 188, 150, 203, 148, 208, 127, 65,
                              41, 94,  147, 99,  152, 205, 167, 180, 89,  225, 58,  75,
                              58, 111, 164, 116, 169, 181, 184, 186, 65,  166, 51,  92}));
  EXPECT_EQ(
      Values(ResizeBilinear(image, 5, 3).value()),
      (std::vector<int>{32,  85,  138, 111, 164, 202, 190, 152, 95,  43,  96,  149, 122, 175, 153,
                        201, 163, 51,  54,  107, 160, 133, 171, 164, 212, 64,  62,  65,  118, 171,
                        144, 182, 175, 223, 75,  73,  76,  129, 182, 155, 193, 80,  143, 86,  84}));
  const std::vector<int> enlarged = Values(ResizeBilinear(image, 9, 5).value());
  EXPECT_EQ(
      std::vector<int>(enlarged.begin(), enlarged.begin() + 30),
      (std::vector<int>{12, 65, 118, 58, 111, 164, 111, 164, 217, 164, 217, 157, 210, 92, 60,
                        16, 69, 122, 62, 115, 168, 115, 168, 205, 168, 221, 113, 214, 96, 64}));
  EXPECT_EQ(Values(ResizeBilinear(image, 5, 7).value()), Values(image));
}

TEST(Fit, ResizesTheShortSideAndCropsTheCentre) {
  struct Case {
    int64_t h, w;
    int size, crop;
    int64_t target;
    Dims expected;
  };
  for (const Case& c : {Case{20, 30, 0, 0, 0, {20, 30, 3}},       // nothing asked
                        Case{20, 30, 10, 0, 0, {10, 15, 3}},      //
                        Case{31, 20, 10, 0, 0, {15, 10, 3}},      // 15.5 is cut, not rounded
                        Case{20, 30, 16, 14, 0, {14, 14, 3}},     //
                        Case{20, 30, -1, 0, 14, {14, 14, 3}},     // auto: 16, then the model's 14
                        Case{14, 14, -1, 0, 14, {14, 14, 3}}}) {  // auto: fits already
    Preprocess p;
    p.resize_short = c.size;
    p.crop_h = p.crop_w = c.crop;
    const auto fitted = FitPicture(p, Gradient(c.h, c.w), c.target, c.target);
    ASSERT_TRUE(fitted) << fitted.error().message();
    EXPECT_EQ(fitted->shape(), c.expected) << c.h << " " << c.w << " " << c.size << " " << c.crop;
  }
  // 20 x 30 becomes 21 x 31.5, of which the model takes 7 x 28: auto looks at the wider side.
  EXPECT_EQ(FitPicture({}, Gradient(20, 30), 7, 28).value().shape(), (Dims{7, 28, 3}));
  Preprocess none;
  none.resize_short = 0;
  const auto small = FitPicture(none, Gradient(8, 8), 14, 14);
  ASSERT_FALSE(small);
  EXPECT_NE(small.error().message().find("--size 16"), std::string::npos);
}

// As torchvision's CenterCrop: round((8 - 5) / 2) = 2, and round((6 - 5) / 2) = 0, ties to even.
TEST(Fit, CropRoundsTiesToEven) {
  Preprocess p;
  p.resize_short = 0;
  const Tensor image = Gradient(8, 6);
  const Tensor cropped = FitPicture(p, image, 5, 5).value();
  EXPECT_EQ(cropped.as<uint8_t>()[0], image.as<uint8_t>()[2 * 6 * 3]);
}

TEST(Normalize, FormulaLayoutAndChannels) {
  const Tensor image = Tensor::Of<uint8_t>({1, 2, 3}, {10, 20, 30, 40, 50, 60});
  Preprocess p;
  p.scale = 0.5f;
  p.mean = {1, 2, 3};
  p.std = {2, 4, 8};
  const auto run = [&](const Tensor& picture, int channels, bool planar) {
    std::vector<float> out(2 * channels);
    NormalizePicture(p, picture, channels, planar, out.data());
    return out;
  };
  EXPECT_EQ(run(image, 3, true), (std::vector<float>{2, 9.5f, 2, 5.75f, 1.5f, 3.375f}));
  EXPECT_EQ(run(image, 3, false), (std::vector<float>{2, 2, 1.5f, 9.5f, 5.75f, 3.375f}));
  p.bgr = true;  // mean and std stay in the model's order
  EXPECT_EQ(run(image, 3, false), (std::vector<float>{7, 2, 0.25f, 14.5f, 5.75f, 2.125f}));
  const Tensor grey = Tensor::Of<uint8_t>({1, 2, 1}, {10, 40});
  EXPECT_EQ(run(grey, 3, true), (std::vector<float>{2, 9.5f, 0.75f, 4.5f, 0.25f, 2.125f}));
  p = Preprocess();
  p.scale = 1;
  EXPECT_EQ(run(image, 1, true), (std::vector<float>{18, 48}));  // .299, .587, .114
}

// What quantizes its input in steps of 1/127.5 sees each pixel half-way between two of them.
TEST(Normalize, RoundsOnce) {
  Tensor image = Tensor::Make(DType::kU8, {1, 256, 1}).value();
  for (int x = 0; x < 256; ++x) image.mutable_as<uint8_t>()[x] = static_cast<uint8_t>(x);
  Preprocess p;
  ASSERT_TRUE(p.Set("scale", "1/127.5"));
  ASSERT_TRUE(p.Set("mean", "1"));
  float out[256];
  NormalizePicture(p, image, 1, true, out);
  for (int x = 0; x < 256; ++x) EXPECT_EQ(out[x], static_cast<float>((x - 127.5) / 127.5)) << x;
}

TEST(Preprocess, MetadataRoundTrip) {
  Preprocess p;
  ASSERT_TRUE(p.Set("size", "256"));
  ASSERT_TRUE(p.Set("crop", "240x320"));
  ASSERT_TRUE(p.Set("scale", "1/127.5"));
  ASSERT_TRUE(p.Set("mean", "0.485,0.456,0.406"));
  ASSERT_TRUE(p.Set("std", "0.5"));
  ASSERT_TRUE(p.Set("channels", "bgr"));
  ASSERT_TRUE(p.Set("layout", "nhwc"));
  ASSERT_TRUE(p.Set("label_offset", "-1"));
  EXPECT_EQ(p.crop_h, 240);
  EXPECT_EQ(p.crop_w, 320);
  EXPECT_EQ(p.std[2], 0.5f);
  std::map<std::string, std::string> metadata = {{"author", "x"}};
  EXPECT_FALSE(Preprocess::In(metadata));
  p.WriteTo(metadata);
  EXPECT_TRUE(Preprocess::In(metadata));
  EXPECT_EQ(metadata.at("pare.preprocess.crop"), "240x320");
  Preprocess read;
  ASSERT_TRUE(read.ReadFrom(metadata));
  EXPECT_EQ(read, p);
  metadata["pare.preprocess.std"] = "0";
  EXPECT_FALSE(Preprocess().ReadFrom(metadata));
}

TEST(Preprocess, RefusesWhatMakesNoSense) {
  const char* cases[][2] = {{"size", "big"},      {"size", "-2"},      {"crop", "1x"},
                            {"crop", "-1"},       {"scale", "1/0"},    {"scale", ""},
                            {"mean", "1,2"},      {"mean", "1,2,3,4"}, {"std", "1,0,1"},
                            {"layout", "hw"},     {"channels", "ca"},  {"colour", "red"},
                            {"label_offset", ""}, {"scale", "0"},      {"scale", "0/255"}};
  for (const auto& [field, text] : cases) {
    Preprocess p;
    EXPECT_FALSE(p.Set(field, text)) << field << " " << text;
    EXPECT_EQ(p, Preprocess()) << field << " " << text;
  }
}

}  // namespace
}  // namespace pare::data
