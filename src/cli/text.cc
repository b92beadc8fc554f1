#include "cli/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "base/status.h"
#include "base/utf8.h"

namespace pare::cli {
namespace {

struct Span {
  uint32_t first, last;
};
// What terminals draw over the character before.
constexpr Span kCombining[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},
                               {0x610, 0x61a},   {0x64b, 0x65f},   {0x1ab0, 0x1aff},
                               {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
                               {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
// Unicode's East Asian wide and full-width blocks, and pictographs.
constexpr Span kWide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},  {0x3041, 0xa4cf},
                          {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f},
                          {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                          {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

template <size_t count>
bool In(const Span (&spans)[count], uint32_t code) {
  return std::any_of(std::begin(spans), std::end(spans),
                     [&](Span span) { return code >= span.first && code <= span.last; });
}

// Three digits that count, and a unit of powers of 1000.
std::string Scaled(double value, const char* const* units) {
  while (std::abs(value) >= 999.5 && units[1]) {
    value /= 1000;
    ++units;
  }
  const double size = std::abs(value);
  return Fixed(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0) + ' ' + *units;
}

constexpr double kMicroseconds = 0.00995;  // ms; what is shorter is told in µs

std::string Micros(double ms) { return Fixed(1000 * ms, std::abs(ms) < 0.000995 ? 3 : 2); }

}  // namespace

std::vector<Utf8Piece> Utf8Pieces(std::string_view text) {
  std::vector<Utf8Piece> pieces;
  while (!text.empty()) {
    uint32_t code = 0;
    const size_t length = DecodeUtf8(text, code);
    const int columns = length == 0 ? 1 : In(kCombining, code) ? 0 : In(kWide, code) ? 2 : 1;
    pieces.push_back({text.substr(0, std::max<size_t>(length, 1)), length > 0, columns});
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return pieces;
}

std::string Printable(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const Utf8Piece piece : Utf8Pieces(text)) {
    const auto byte = static_cast<unsigned char>(piece.bytes[0]);
    // C1 controls (two bytes from 0xc2 0x80 on) move terminals' cursors as well.
    const bool control =
        byte < 0x20 || byte == 0x7f ||
        (byte == 0xc2 && piece.valid && static_cast<unsigned char>(piece.bytes[1]) < 0xa0);
    if (piece.valid && !control) {
      out += piece.bytes;
      continue;
    }
    for (const char c : piece.bytes) {
      const auto each = static_cast<unsigned char>(c);
      out += {'\\', 'x', kHex[each >> 4], kHex[each & 15]};
    }
  }
  return out;
}

std::string ShellWord(std::string_view text) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_-./:=+,@%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::ranges::all_of(text, plain)) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

int Columns(std::string_view text) {
  int columns = 0;
  for (const Utf8Piece piece : Utf8Pieces(text)) columns += piece.columns;
  return columns;
}

std::string Shortened(std::string_view text, int columns) {
  if (Columns(text) <= columns) return std::string(text);
  const std::vector<Utf8Piece> pieces = Utf8Pieces(text);
  std::string head, tail;
  int left = (columns - 1) / 2, right = columns - 1 - left;
  for (const Utf8Piece piece : pieces) {
    if ((left -= piece.columns) < 0) break;
    head += piece.bytes;
  }
  for (auto piece = pieces.rbegin(); piece != pieces.rend() && (right -= piece->columns) >= 0;
       ++piece) {
    tail.insert(0, piece->bytes);
  }
  return head + "…" + tail;
}

std::string Fixed(double value, int digits) {
  char text[512];
  const auto length = static_cast<size_t>(std::snprintf(text, sizeof text, "%.*f", digits, value));
  const std::string_view all(text, length);
  const bool negative_zero = all.starts_with('-') && all.find_first_of("123456789in") == all.npos;
  return std::string(all.substr(negative_zero ? 1 : 0));
}

std::string Fixed(std::optional<double> value, int digits) {
  return value ? Fixed(*value, digits) : "–";
}

std::string Milliseconds(double ms) {
  const double size = std::abs(ms);
  if (size < kMicroseconds && size > 0) return Fixed(ms, 5);
  if (size < 0.09995) return Fixed(ms, 4);
  return size < 0.9995 ? Fixed(ms, 3) : Fixed(ms, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

std::string Duration(double ms) {
  return std::abs(ms) < kMicroseconds ? Micros(ms) + " µs" : Milliseconds(ms) + " ms";
}

std::string RoughTime(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 90) return Text(whole, " s");
  const int64_t minutes = (whole + 30) / 60;
  if (minutes < 90) return Text(minutes, " min");
  return Text(minutes / 60, " h ", minutes % 60, " min");
}

std::string DurationRange(double low, double high) {
  if (std::abs(high) < kMicroseconds) return Micros(low) + "–" + Micros(high) + " µs";
  return Milliseconds(low) + "–" + Milliseconds(high) + " ms";
}

std::string DurationInterval(double median, double low, double high) {
  const bool micros = std::abs(high) < kMicroseconds;
  const auto number = [&](double ms) { return micros ? Micros(ms) : Milliseconds(ms); };
  return number(median) + (micros ? " µs (" : " ms (") + number(low) + "–" + number(high) + ')';
}

std::string ByteText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", nullptr};
  if (std::abs(bytes) < 1000) return std::to_string(bytes) + " B";
  return Scaled(static_cast<double>(bytes), kUnits);
}

std::string CountText(int64_t count) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G", "T", nullptr};
  if (std::abs(count) < 10000) return std::to_string(count);
  return Scaled(static_cast<double>(count), kUnits);
}

std::string Table::Text(int indent) const {
  std::vector<std::vector<std::string>> lines;
  const auto add = [&](const auto& cell_of) {
    std::vector<std::string>& line = lines.emplace_back();
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = Printable(cell_of(c));
      line.push_back(columns_[c].widest > 0 ? Shortened(cell, columns_[c].widest) : cell);
    }
  };
  const bool headed = std::any_of(columns_.begin(), columns_.end(),
                                  [](const Column& c) { return !c.head.empty(); });
  if (headed) add([&](size_t c) { return columns_[c].head; });
  for (const auto& row : rows_)
    add([&](size_t c) { return c < row.size() ? row[c] : std::string(); });

  std::vector<int> widths(columns_.size());
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], Columns(line[c]));
  }
  std::string out;
  for (const auto& line : lines) {
    std::string text(static_cast<size_t>(indent), ' ');
    for (size_t c = 0; c < line.size(); ++c) {
      const std::string space(static_cast<size_t>(widths[c] - Columns(line[c])), ' ');
      if (c > 0) text += "  ";
      text += columns_[c].align == Align::kLeft ? line[c] + space : space + line[c];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  }
  return out;
}

}  // namespace pare::cli
