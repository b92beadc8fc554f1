// The protobuf wire format, read without trust and without exceptions.
//
// A reader walks the fields of one message; nothing is copied, and nothing outside of the given
// bytes is read. Malformed bytes end the walk and are remembered: ask ok() after the loop.
//
//   WireReader in(bytes);
//   while (in.Next()) {
//     switch (in.tag()) {
//       case BytesTag(1): name = in.text(); break;
//       case VarintTag(2): type = in.varint(); break;
//     }                      // other fields, and known ones of another wire type, are skipped
//   }
//   if (!in.ok()) return Malformed("TensorProto");
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/cursor.h"

namespace pare::onnx {

using Bytes = std::span<const std::byte>;

constexpr uint32_t VarintTag(uint32_t field) { return field << 3; }
constexpr uint32_t BytesTag(uint32_t field) { return field << 3 | 2; }
constexpr uint32_t Fixed32Tag(uint32_t field) { return field << 3 | 5; }

class WireReader {
 public:
  explicit WireReader(Bytes bytes) : rest_(bytes) {}

  // Moves to the next field; false at the end, and where the bytes are no field.
  bool Next() {
    if (rest_.empty() || !ok_) return false;
    uint64_t tag = 0;
    ok_ = TakeVarint(tag) && tag <= UINT32_MAX && tag >> 3 != 0 && TakePayload(tag & 7);
    tag_ = static_cast<uint32_t>(tag);
    return ok_;
  }
  bool ok() const { return ok_; }

  uint32_t tag() const { return tag_; }
  uint64_t varint() const { return number_; }
  int64_t int64() const { return static_cast<int64_t>(number_); }
  float float32() const { return std::bit_cast<float>(static_cast<uint32_t>(number_)); }
  Bytes bytes() const { return bytes_; }
  std::string_view text() const { return TextOf(bytes_); }

  // For packed numbers: takes one from the front of what is left of these bytes.
  bool TakeVarint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_ = rest_.subspan(1);
      if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool empty() const { return rest_.empty(); }

 private:
  bool TakePayload(uint64_t wire_type) {
    switch (wire_type) {
      case 0:
        return TakeVarint(number_);
      case 1:
        return TakeFixed(8);
      case 2: {
        uint64_t size = 0;
        if (!TakeVarint(size) || size > rest_.size()) return false;
        bytes_ = rest_.first(size);
        rest_ = rest_.subspan(size);
        return true;
      }
      case 5:
        return TakeFixed(4);
      default:
        return false;  // groups: no version of ONNX has had them
    }
  }
  bool TakeFixed(size_t size) {
    if (rest_.size() < size) return false;
    number_ = 0;
    std::memcpy(&number_, rest_.data(), size);  // little-endian, as all our machines
    rest_ = rest_.subspan(size);
    return true;
  }

  Bytes rest_;
  Bytes bytes_;
  uint64_t number_ = 0;
  uint32_t tag_ = 0;
  bool ok_ = true;
};

}  // namespace pare::onnx
