// Comma-separated values (RFC 4180: quotes, doubled quotes, line ends inside quotes), also with ';'
// or tabs. Read in place: a table keeps where its rows begin, not what they hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace pare::data {

struct CsvLabels {
  std::string_view column;  // "" = none; a name of the header or a number from 0
  bool may_lack = false;    // a table without that column has no labels, and is no error
  std::vector<std::vector<std::string>> classes = {};  // as ReadClasses gives them
};

struct CsvTargets {
  std::vector<std::string> columns = {};  // as that of labels; one number of a target each
  bool may_lack = false;  // a table without all of them, or without numbers there, has none
};

class CsvTable {
 public:
  // `text` must outlive the table. The first row is a header if none of its cells is a number, or
  // if one of them is the label's column or a target's.
  static Result<CsvTable> Parse(std::string_view text, const CsvLabels& labels,
                                const CsvTargets& targets = {});
  static Result<CsvTable> Parse(std::string_view text, std::string_view label_column) {
    return Parse(text, CsvLabels{label_column});
  }

  int64_t size() const { return static_cast<int64_t>(offsets_.size()); }
  // The numeric columns of a row, without label and targets: f32 [columns()].
  Result<Tensor> Row(int64_t index) const { return Cells(index, numeric_); }
  // The targets of a row: f32, in the order in which their columns were given.
  bool has_targets() const { return !targets_.empty(); }
  Result<Tensor> Targets(int64_t index) const { return Cells(index, targets_); }
  // The line of the text in which a row begins, from 1.
  int64_t line(int64_t index) const { return LineOf(offsets_[index]); }
  size_t row_bytes(int64_t index) const;
  int64_t columns() const { return static_cast<int64_t>(numeric_.size()); }

  // One a row; empty without a label column. Texts that are all names of the classes given are
  // these. Else whole numbers, also as "3.0", are the classes themselves, and −1 or nothing is
  // none (labels of −1 and 1 alone are two names). Other texts are classes in alphabetical order.
  const std::vector<int64_t>& labels() const { return labels_; }
  // What should be known of the numbers of labels; may be empty.
  const std::string& label_note() const { return label_note_; }
  const std::vector<std::string>& classes() const { return classes_; }
  // Whether the classes are the labels' texts in alphabetical order.
  bool classes_sorted() const { return classes_sorted_; }
  // Columns that hold texts (in nearly all rows) or nothing, and so are in no row.
  const std::vector<std::string>& left_out() const { return left_out_; }
  // The columns that are in the rows, by name or number.
  std::vector<std::string> numeric_columns() const;
  // The targets' columns, by what finds them again: the header's name, or the number.
  std::vector<std::string> target_columns() const;
  bool has_header() const { return !names_.empty(); }
  // Rows are of these columns, in this order, and others are left out. False where one of them is
  // no numeric column of the header, or is there twice; the table is as it was then.
  bool Select(const std::vector<std::string>& columns);
  // Why Select refuses these, in words: "has no column a, b; has no numbers in c"; "" where it
  // doesn't.
  std::string WhyNot(const std::vector<std::string>& columns) const;

 private:
  CsvTable() = default;
  Status ReadHeader(const CsvLabels& labels, const CsvTargets& targets, size_t& position);
  // Where this column is, by the header or by number.
  std::optional<size_t> ColumnOf(std::string_view column) const;
  Error NoColumn(std::string_view column) const;
  Status FindLabel(const CsvLabels& labels);
  // `label_yields`: to a target in its column, once all targets are known to be there (Scan).
  Status FindTargets(const CsvTargets& targets, bool label_yields);
  bool is_label(size_t column) const { return static_cast<int64_t>(column) == label_column_; }
  bool is_target(size_t column) const;
  Result<Tensor> Cells(int64_t index, const std::vector<size_t>& columns) const;
  // Gives the texts in the label's column, one a row.
  Result<std::vector<std::string>> Scan(size_t position);
  // What a column holds, as far as it decides whether its cells are numbers.
  struct Column {
    int64_t numbers = 0, texts = 0;
    std::string text;  // the first
    int64_t line = 0;  // of it
    bool holds_numbers() const;
  };
  Status ChooseColumns(const std::vector<Column>& columns);
  Status CheckTargets(const std::vector<Column>& columns);
  Status NumberLabels(const std::vector<std::string>& texts,
                      const std::vector<std::vector<std::string>>& classes);
  // Whether the labels are whole numbers; these then are the classes.
  bool TakeNumbers(const std::vector<std::string>& texts);
  // Fails where few labels are no whole numbers: they would make texts of all others.
  Status CheckMixed(const std::vector<std::string>& texts) const;
  // A column of the header that can be chosen by its name; else the reason without the name.
  struct Choice {
    size_t column = 0;
    const char* refusal = nullptr;
  };
  Choice Choose(const std::string& name) const;
  std::string ColumnName(size_t column) const;
  std::string CellName(size_t column) const;  // "column age", "column 3"
  int64_t LineOf(uint64_t offset) const;

  std::string_view text_;
  char separator_ = ',';
  std::vector<std::string> names_;  // of the header, or empty
  size_t width_ = 0;                // cells of a row
  int64_t label_column_ = -1;
  std::vector<size_t> numeric_, targets_;
  bool targets_may_lack_ = false;
  std::vector<uint64_t> offsets_;
  std::vector<int64_t> labels_;
  std::vector<std::string> classes_;
  std::vector<std::string> left_out_;
  std::string label_note_;
  bool classes_sorted_ = false;
};

}  // namespace pare::data
