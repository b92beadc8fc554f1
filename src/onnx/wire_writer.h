// Writes protobuf messages as a list of pieces: what was written here, and views of bytes that
// others hold (the weights). A message around gigabytes is built without copying them.
#pragma once

#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "onnx/wire.h"

namespace pare::onnx {

class WireWriter {
 public:
  void Varint(uint32_t field, uint64_t value) {
    PutVarint(VarintTag(field));
    PutVarint(value);
  }
  void Int(uint32_t field, int64_t value) { Varint(field, static_cast<uint64_t>(value)); }
  void Float(uint32_t field, float value) {
    PutVarint(Fixed32Tag(field));
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) Put(static_cast<char>(bits >> shift));
  }
  void Text(uint32_t field, std::string_view text) {
    PutVarint(BytesTag(field));
    PutVarint(text.size());
    Append(text);
  }
  // Bytes as they are, tag included.
  void Raw(std::string_view fields) { Append(fields); }
  // The bytes of `tensor`, which is held until this writer goes.
  void Data(uint32_t field, const Tensor& tensor) {
    PutVarint(BytesTag(field));
    PutVarint(tensor.bytes());
    if (tensor.bytes() == 0) return;
    pieces_.push_back({{}, tensor});
    size_ += tensor.bytes();
  }
  void Message(uint32_t field, WireWriter message) {
    PutVarint(BytesTag(field));
    PutVarint(message.size_);
    for (Piece& piece : message.pieces_) {
      if (!piece.tensor) {
        Append(piece.text);
      } else {
        size_ += piece.tensor.bytes();
        pieces_.push_back(std::move(piece));
      }
    }
  }

  size_t size() const { return size_; }
  // f(std::span<const std::byte>) → Status, for each piece in turn; stops at the first error.
  template <typename F>
  Status ForEachPiece(F&& f) const {
    for (const Piece& piece : pieces_) {
      const Bytes bytes =
          piece.tensor ? Bytes(piece.tensor.data(), piece.tensor.bytes()) : BytesOf(piece.text);
      PARE_TRY(f(bytes));
    }
    return {};
  }
  std::string Join() const {
    std::string all;
    all.reserve(size_);
    for (const Piece& piece : pieces_) {
      all += piece.tensor ? TextOf({piece.tensor.data(), piece.tensor.bytes()}) : piece.text;
    }
    return all;
  }

 private:
  struct Piece {
    std::string text;
    Tensor tensor;
  };
  void Append(std::string_view text) {
    if (pieces_.empty() || pieces_.back().tensor) pieces_.emplace_back();
    pieces_.back().text += text;
    size_ += text.size();
  }
  void Put(char byte) { Append({&byte, 1}); }
  void PutVarint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) Put(static_cast<char>(value | 0x80));
    Put(static_cast<char>(value));
  }

  std::vector<Piece> pieces_;
  size_t size_ = 0;
};

}  // namespace pare::onnx
