#include "data/tar.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/cursor.h"

namespace pare::data {
namespace {

constexpr uint64_t kBlock = 512;

// A header block; offsets and lengths as in POSIX ustar.
class Block {
 public:
  explicit Block(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool empty() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](std::byte b) { return b == std::byte{0}; });
  }
  char type() const { return Raw(156, 1)[0]; }

  std::string name() const {
    // Only POSIX archives have a prefix; GNU keeps other things in its place.
    const std::string_view prefix =
        Raw(257, 6) == std::string_view("ustar\0", 6) ? Terminated(345, 155) : std::string_view();
    return prefix.empty() ? std::string(Terminated(0, 100)) : Text(prefix, "/", Terminated(0, 100));
  }
  std::optional<uint64_t> size() const {
    if ((Byte(124) & 0x80) == 0) return Octal(124, 12);
    uint64_t value = Byte(124) & 0x7f;  // GNU: a big-endian number for sizes from 8 GB on
    for (int i = 125; i < 136; ++i) {
      if (value >> 55) return std::nullopt;
      value = value << 8 | Byte(i);
    }
    return value;
  }
  bool checksum_holds() const {
    uint64_t sum = 8 * ' ';
    for (int i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? 0 : Byte(i);
    return Octal(148, 8) == sum;
  }

 private:
  uint8_t Byte(int at) const { return std::to_integer<uint8_t>(bytes_[at]); }
  std::string_view Raw(size_t at, size_t length) const { return TextOf(bytes_).substr(at, length); }
  std::string_view Terminated(size_t at, size_t length) const {
    const std::string_view raw = Raw(at, length);
    return raw.substr(0, raw.find('\0'));
  }
  std::optional<uint64_t> Octal(size_t at, size_t length) const {
    std::string_view text = Raw(at, length);
    while (text.starts_with(' ')) text.remove_prefix(1);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    if (error == std::errc::result_out_of_range) return std::nullopt;
    const bool terminated = end == text.data() + text.size() || *end == ' ' || *end == '\0';
    return terminated ? std::optional(value) : std::nullopt;
  }

  std::span<const std::byte> bytes_;
};

// What extension headers say of the entry that follows.
struct Overrides {
  std::optional<std::string> name;
  std::optional<uint64_t> size;
};

// pax records: "<length of the record> <key>=<value>\n"
bool ReadPax(std::string_view text, Overrides& next) {
  while (!text.empty() && text[0] != '\0') {
    size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const size_t digits = end - text.data();
    if (error != std::errc() || length > text.size() || length < digits + 3) return false;
    std::string_view record = text.substr(digits + 1, length - digits - 2);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") next.name = std::string(value);
    if (key == "size") {
      uint64_t size = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
      if (parsed.ec != std::errc()) return false;
      next.size = size;
    }
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

Result<std::vector<TarEntry>> ListTar(std::span<const std::byte> bytes) {
  constexpr std::string_view kAdvice = "copy or make the archive anew";
  std::vector<TarEntry> entries;
  Overrides next;
  ByteCursor cursor(bytes);
  while (true) {
    const auto raw = cursor.Take(kBlock);
    if (!raw) {  // blocks of zeros close an archive: without them there was more
      return Invalid(entries.empty()
                         ? std::string("is no tar archive")
                         : Text("the tar archive is cut off after ", entries.back().name),
                     std::string(kAdvice));
    }
    const Block block(*raw);
    if (block.empty()) return entries;
    if (!block.checksum_holds()) {
      return Invalid(entries.empty()
                         ? std::string("is no tar archive")
                         : Text("the tar archive is damaged after ", entries.back().name),
                     std::string(kAdvice));
    }
    const auto own_size = block.size();
    const uint64_t size = next.size ? *next.size : own_size.value_or(UINT64_MAX);
    const size_t offset = cursor.position();
    const auto content = cursor.Take(size);
    if (!content) {
      return Invalid(Text("the tar archive is cut off in ", block.name()), std::string(kAdvice));
    }
    cursor.Skip(std::min<uint64_t>((kBlock - size % kBlock) % kBlock, cursor.remaining()));
    const std::string_view text = TextOf(*content);
    switch (block.type()) {
      case 'L':
        next.name = std::string(text.substr(0, text.find('\0')));
        continue;
      case 'x':
        if (!ReadPax(text, next)) {
          return Invalid("the tar archive has a damaged pax header", std::string(kAdvice));
        }
        continue;
      case 'g':
      case 'K':
        continue;  // global defaults, long link names
      case '0':
      case '\0':
      case '7':
        entries.push_back({next.name.value_or(block.name()), offset, size});
        break;
      default:
        break;  // folders, links, devices
    }
    next = {};
  }
}

}  // namespace pare::data
