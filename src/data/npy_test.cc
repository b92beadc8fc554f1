#include "data/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/cursor.h"
#include "data/zip.h"
#include "platform/test_folder.h"

namespace pare::data {
namespace {

std::string Unhex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// Through memory that ends where the bytes end, so that a sanitizer sees a read beyond.
Result<Tensor> Parse(std::string_view bytes) {
  auto copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return ParseNpy(std::as_bytes(std::span(*copy)), copy);
}

std::string Npy(std::string_view dict, std::string_view data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(dict.size() & 255);
  bytes += static_cast<char>(dict.size() >> 8);
  return bytes + std::string(dict) + std::string(data);
}

TEST(Npy, RoundTripOfEveryType) {
  TestFolder folder;
  const std::string path = folder / "x.npy";
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kF64, DType::kU8, DType::kI8, DType::kU16, DType::kI16,
        DType::kU32, DType::kI32, DType::kU64, DType::kI64, DType::kBool}) {
    for (const Dims& shape : {Dims{}, Dims{3}, Dims{2, 3}, Dims{0, 4}, Dims{1, 2, 3, 4}}) {
      Tensor tensor = Tensor::Zeros(dtype, shape).value();
      for (size_t i = 0; i < tensor.bytes(); ++i) {
        tensor.mutable_data()[i] = static_cast<std::byte>(dtype == DType::kBool ? i % 2 : i * 7);
      }
      ASSERT_TRUE(SaveNpy(path, tensor));
      const auto loaded = LoadNpy(path);
      ASSERT_TRUE(loaded) << loaded.error().message();
      EXPECT_EQ(loaded->dtype(), dtype);
      EXPECT_EQ(loaded->shape(), shape);
      ASSERT_EQ(loaded->bytes(), tensor.bytes());
      EXPECT_TRUE(tensor.bytes() == 0 ||
                  !std::memcmp(loaded->data(), tensor.data(), tensor.bytes()));
    }
  }
}

TEST(Npy, HeaderIsWhatNumpyWrites) {
  TestFolder folder;
  ASSERT_TRUE(SaveNpy(folder / "x.npy", Tensor::Of<float>({3}, {1, 2, 3})));
  const std::string bytes = ReadFile(folder / "x.npy").value();
  EXPECT_EQ(bytes.size(), 128u + 12);
  EXPECT_EQ(bytes.substr(10, 57), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }");
  EXPECT_EQ(bytes[127], '\n');
}

TEST(Npy, FortranOrderAndBigEndian) {
  const auto tensor =
      Parse(Npy("{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }\n",
                std::string("\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0\4\0\0\0\2\0\0\0\5", 24)));
  ASSERT_TRUE(tensor) << tensor.error().message();
  const auto values = tensor->as<int32_t>();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(values[i], i);
}

TEST(Npy, Bfloat16IsWrittenAsFloat) {
  TestFolder folder;
  ASSERT_TRUE(SaveNpy(folder / "x.npy", Tensor::Of<BFloat16>({1}, {ToBFloat16(1.5f)})));
  EXPECT_EQ(LoadNpy(folder / "x.npy")->as<float>()[0], 1.5f);
}

TEST(Npy, DamagedFilesAreErrors) {
  const char* dicts[] = {
      "",
      "{",
      "{}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",
      "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2x,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",  // only 8 bytes of data
      "{'descr': '<f4', 'fortran_order': False}",
      "{'shape': (2,), 'fortran_order': False}",
      "{'descr': '|b1', 'fortran_order': False, 'shape': (8,)}",  // bytes other than 0 and 1
      "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}",
      "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}",
  };
  for (const char* dict : dicts) EXPECT_FALSE(Parse(Npy(dict, "12345678"))) << dict;
  const std::string good =
      Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "12345678");
  ASSERT_TRUE(Parse(good));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(Parse(good.substr(0, length))) << length;
  }
}

TEST(Npz, RoundTripAligned) {
  TestFolder folder;
  const std::string path = folder / "x.npz";
  const NamedTensors tensors = {{"input_ids", Tensor::Of<int64_t>({2, 2}, {1, 2, 3, 4})},
                                {"mask", Tensor::Of<float>({3}, {0.5f, 1, 2})},
                                {"none", Tensor::Zeros(DType::kU8, {0}).value()}};
  ASSERT_TRUE(SaveNpz(path, tensors));
  const auto loaded = LoadNpz(path);
  ASSERT_TRUE(loaded) << loaded.error().message();
  ASSERT_EQ(loaded->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const Tensor& a = tensors[i].second;
    const auto& [name, b] = (*loaded)[i];
    EXPECT_EQ(name, tensors[i].first);
    EXPECT_EQ(b.shape(), a.shape());
    EXPECT_TRUE(a.bytes() == 0 || !std::memcmp(a.data(), b.data(), a.bytes()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % 64, 0u) << "not mapped in place";
  }
}

// Written by numpy.savez_compressed(a=numpy.zeros(100, 'float32')).
constexpr std::string_view kDeflated =
    "504b03042d000000080000002100efb97d1bffffffffffffffff05001400612e6e707901001000100200000000"
    "00004b000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498"
    "179f5f94920a12774bcc294e058a17672416a402f91a8606063a9a3a0ab50a64032e865130a80000504b01022d"
    "032d000000080000002100efb97d1b4b00000010020000050000000000000000000000800100000000612e6e70"
    "79504b0506000000000100010033000000820000000000";

Result<NamedTensors> ParseZip(std::string_view bytes) {
  auto copy = std::make_shared<std::vector<char>>(bytes.begin(), bytes.end());
  return ParseNpz(std::as_bytes(std::span(*copy)), copy);
}

TEST(Npz, ReadsDeflated) {
  const auto tensors = ParseZip(Unhex(kDeflated));
  ASSERT_TRUE(tensors) << tensors.error().message();
  ASSERT_EQ(tensors->size(), 1u);
  EXPECT_EQ((*tensors)[0].first, "a");
  EXPECT_EQ((*tensors)[0].second.shape(), Dims{100});
  for (const float value : (*tensors)[0].second.as<float>()) EXPECT_EQ(value, 0);
}

TEST(Npz, DamageIsAnErrorNeverACrash) {
  const std::string good = Unhex(kDeflated);
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(ParseZip(good.substr(0, length))) << length;
  }
  int refused = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x55);
    refused += !ParseZip(bad);
  }
  EXPECT_GT(refused, 100);  // names and dates may change unseen; content and sizes may not
}

TEST(Npz, ErrorsNameTheMember) {
  TestFolder folder;
  auto file = AtomicFile::Create(folder / "x.npz").value();
  ZipWriter zip(file);
  ASSERT_TRUE(zip.Add("notes.txt", BytesOf("hello"), {}));
  ASSERT_TRUE(zip.Add("broken.npy", BytesOf("no array"), {}));
  ASSERT_TRUE(zip.Finish());
  ASSERT_TRUE(file.Commit());
  const std::string message = LoadNpz(folder / "x.npz").error().message();
  EXPECT_NE(message.find("x.npz: broken.npy: is no .npy array"), std::string::npos) << message;
}

}  // namespace
}  // namespace pare::data
