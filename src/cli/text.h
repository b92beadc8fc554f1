// Text for people: numbers with units, names of any bytes, tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pare::cli {

// One character of a text, or one byte that belongs to none.
struct Utf8Piece {
  std::string_view bytes;
  bool valid;
  int columns;  // on a terminal: 0 for combining marks, 2 for wide scripts
};
std::vector<Utf8Piece> Utf8Pieces(std::string_view text);

// For a terminal: control characters and bytes that are no UTF-8 as \xNN.
std::string Printable(std::string_view text);
// As a word of a command line for a shell: in quotes where that needs them.
std::string ShellWord(std::string_view text);
int Columns(std::string_view text);
// At most `columns` wide; the middle is replaced by "…", since names differ at both ends.
std::string Shortened(std::string_view text, int columns);

std::string Fixed(double value, int digits);                 // "inf", "nan" as they are
std::string Fixed(std::optional<double> value, int digits);  // "–" for nothing
std::string Milliseconds(double ms);                 // three digits that count, without the unit
std::string Duration(double ms);                     // "1.23 ms"; "4.56 µs" below 10 µs
std::string DurationRange(double low, double high);  // "1.23–1.45 ms"
std::string DurationInterval(double median, double low, double high);  // "1.3 ms (1.2–1.4)"
std::string RoughTime(double seconds);  // "45 s", "12 min", "3 h 20 min"
std::string ByteText(int64_t bytes);    // "1.09 MB", of 10^6
std::string CountText(int64_t count);   // "40.8 M"; exact below 10,000

// Rows of cells under a header, in aligned columns.
class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  struct Column {
    std::string head;
    Align align = Align::kLeft;
    int widest = 0;  // shorten to this many columns; 0: never
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Missing cells are empty.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // Each line ends with a newline; the header is left out where all its cells are empty.
  std::string Text(int indent = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pare::cli
