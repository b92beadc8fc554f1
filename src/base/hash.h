// Hashes that are the same on every machine and in every version: they are written to files. Not
// for secrets.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace pare {

// FNV-1a (Fowler, Noll & Vo), byte by byte.
class Fnv1a {
 public:
  void Add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes)
      state_ = (state_ ^ std::to_integer<uint8_t>(byte)) * 0x100000001b3;
  }
  void Add(std::string_view text) { Add(std::as_bytes(std::span(text))); }
  void Add(int64_t number) { Add(std::as_bytes(std::span(&number, 1))); }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

// For large content: FNV-1a's step over words of 8 bytes, with the finalizer of SplitMix64.
class WordHash {
 public:
  void Add(std::span<const std::byte> bytes) {
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
      uint64_t word;
      std::memcpy(&word, bytes.data(), 8);
      AddWord(word);
    }
    for (const std::byte byte : bytes) AddWord(std::to_integer<uint8_t>(byte));
  }
  uint64_t value() const {
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

 private:
  void AddWord(uint64_t word) {
    state_ = (state_ ^ word) * 0x100000001b3;
    state_ ^= state_ >> 29;
  }
  uint64_t state_ = 0xcbf29ce484222325;
};

inline uint64_t HashOfText(std::string_view text) {
  Fnv1a hash;
  hash.Add(text);
  return hash.value();
}

// "1f": without leading zeros.
inline std::string HexText(uint64_t value) {
  char buffer[16];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, 16).ptr};
}

}  // namespace pare
