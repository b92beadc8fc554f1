#include "data/csv.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "data/dataset_parts.h"
#include "data/number.h"

namespace pare::data {
namespace {

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Appends a cell to `cell` and moves behind it: to its separator, line end or the end of the text.
// False where a quote is never closed.
bool ReadCell(std::string_view text, size_t& position, char separator, std::string& cell) {
  size_t at = position;
  while (at < text.size() && text[at] == ' ') ++at;
  if (at == text.size() || text[at] != '"') {
    const char stops[] = {separator, '\n', '\r'};
    at = std::min(text.find_first_of(std::string_view(stops, 3), position), text.size());
    cell = Trimmed(text.substr(position, at - position));
    position = at;
    return true;
  }
  for (++at;; ++at) {
    const size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return false;
    cell.append(text.substr(at, quote - at));
    at = quote + 1;
    if (at == text.size() || text[at] != '"') break;
    cell += '"';
  }
  while (at < text.size() && text[at] != separator && text[at] != '\n' && text[at] != '\r') ++at;
  position = at;
  return true;
}

// One row; moves behind its line end. False where a quote is never closed.
bool ReadRow(std::string_view text, size_t& position, char separator,
             std::vector<std::string>& cells) {
  cells.clear();
  while (true) {
    if (!ReadCell(text, position, separator, cells.emplace_back())) return false;
    if (position == text.size()) return true;
    if (text[position] != separator) break;
    ++position;
  }
  if (text[position] == '\r') ++position;
  if (position < text.size() && text[position] == '\n') ++position;
  return true;
}

bool IsBlank(const std::vector<std::string>& cells) {
  return cells.size() == 1 && cells[0].empty();
}

char GuessSeparator(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  char best = ',';
  for (const char candidate : {';', '\t'}) {
    if (std::count(line.begin(), line.end(), candidate) >
        std::count(line.begin(), line.end(), best)) {
      best = candidate;
    }
  }
  return best;
}

tl::unexpected<Error> OpenQuote(int64_t line) {
  return Invalid(Text("line ", line, ": a quote is never closed"),
                 "double the quotes inside of cells");
}

tl::unexpected<Error> NoRows(std::string_view what) {
  return Invalid(std::string(what), "a table has a sample a row, below a header or without one");
}

// Of a column's cells: from here up it is a column of texts, below it holds mistakes.
constexpr double kTextColumn = 0.9;

std::string Joined(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), most); ++i) text += (i ? ", " : "") + names[i];
  return names.size() > most ? text + ", …" : text;
}

}  // namespace

Result<CsvTable> CsvTable::Parse(std::string_view text, const CsvLabels& labels,
                                 const CsvTargets& targets) {
  CsvTable table;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  table.text_ = text;
  table.separator_ = GuessSeparator(text);
  size_t position = 0;
  PARE_TRY(table.ReadHeader(labels, targets, position));
  PARE_TRY(table.FindLabel(labels));
  PARE_TRY(table.FindTargets(targets, labels.may_lack));
  PARE_ASSIGN(const auto texts, table.Scan(position));
  PARE_TRY(table.NumberLabels(texts, labels.classes));
  return table;
}

Status CsvTable::ReadHeader(const CsvLabels& labels, const CsvTargets& targets, size_t& position) {
  std::vector<std::string> cells;
  size_t next = 0;
  if (!ReadRow(text_, next, separator_, cells)) return OpenQuote(1);
  if (text_.empty()) return NoRows("is empty");
  if (IsBlank(cells)) return NoRows("begins with an empty line");
  width_ = cells.size();
  const auto names_one = [&](std::string_view column) {
    return !column.empty() && !Number<int64_t>(column) &&
           std::ranges::find(cells, column) != cells.end();
  };
  const bool has_number = std::any_of(cells.begin(), cells.end(), [](const std::string& cell) {
    return Number<double>(cell).has_value();
  });
  if (has_number && !names_one(labels.column) && std::ranges::none_of(targets.columns, names_one))
    return {};
  names_ = std::move(cells);
  position = next;
  return {};
}

std::optional<size_t> CsvTable::ColumnOf(std::string_view column) const {
  const auto named = std::find(names_.begin(), names_.end(), column);
  if (named != names_.end()) return static_cast<size_t>(named - names_.begin());
  const auto number = Number<int64_t>(column);
  if (number && *number >= 0 && *number < static_cast<int64_t>(width_))
    return static_cast<size_t>(*number);
  return std::nullopt;
}

Error CsvTable::NoColumn(std::string_view column) const {
  return Error(ErrorKind::kUsage, Text("there is no column '", column, "'"),
               has_header()
                   ? Text("the columns are ", Joined(names_, 40))
                   : Text("there is no header; columns are numbered from 0 to ", width_ - 1));
}

Status CsvTable::FindLabel(const CsvLabels& labels) {
  if (labels.column.empty()) return {};
  const auto column = ColumnOf(labels.column);
  if (!column && !labels.may_lack) return Fail(NoColumn(labels.column));
  if (column) label_column_ = static_cast<int64_t>(*column);
  return {};
}

Status CsvTable::FindTargets(const CsvTargets& targets, bool label_yields) {
  targets_may_lack_ = targets.may_lack;
  std::vector<size_t> found;
  for (const std::string& name : targets.columns) {
    const auto column = ColumnOf(name);
    if (!column && targets.may_lack) return {};
    if (!column) return Fail(NoColumn(name));
    const bool twice = std::ranges::find(found, *column) != found.end();
    if (twice || (is_label(*column) && !label_yields)) {
      return Fail(ErrorKind::kUsage,
                  Text(CellName(*column), twice ? " is twice among the targets"
                                                : " is to hold the label and a target"),
                  "name each column once");
    }
    found.push_back(*column);
  }
  targets_ = std::move(found);
  return {};
}

bool CsvTable::is_target(size_t column) const {
  return std::ranges::find(targets_, column) != targets_.end();
}

std::string CsvTable::ColumnName(size_t column) const {
  return names_.empty() ? Text("column ", column) : names_[column];
}

// Finds where rows begin, and which columns hold nothing but numbers.
Result<std::vector<std::string>> CsvTable::Scan(size_t position) {
  std::vector<Column> columns(width_);
  std::vector<std::string> cells, texts;
  while (position < text_.size()) {
    const size_t begin = position;
    if (!ReadRow(text_, position, separator_, cells)) return OpenQuote(LineOf(begin));
    if (IsBlank(cells) && width_ > 1) continue;
    if (cells.size() != width_) {
      return Invalid(
          Text("line ", LineOf(begin), " has ", cells.size(), " cells, and the first has ", width_),
          "quote cells that hold separators");
    }
    for (size_t i = 0; i < width_; ++i) {
      if (cells[i].empty()) continue;
      Column& column = columns[i];
      if (Number<float>(cells[i])) {
        ++column.numbers;
      } else if (column.texts++ == 0) {
        column.text = cells[i];
        column.line = LineOf(begin);
      }
    }
    offsets_.push_back(begin);
    if (label_column_ >= 0) texts.push_back(std::move(cells[label_column_]));
  }
  if (offsets_.empty()) return NoRows("has no rows below its header");
  PARE_TRY(CheckTargets(columns));
  if (label_column_ >= 0 && is_target(static_cast<size_t>(label_column_))) {
    label_column_ = -1;
    texts.clear();
  }
  PARE_TRY(ChooseColumns(columns));
  return texts;
}

bool CsvTable::Column::holds_numbers() const {
  return numbers > 0 &&
         static_cast<double>(texts) < kTextColumn * static_cast<double>(numbers + texts);
}

Status CsvTable::CheckTargets(const std::vector<Column>& columns) {
  for (const size_t target : targets_) {
    const Column& column = columns[target];
    if (column.holds_numbers()) continue;
    if (targets_may_lack_) {
      targets_.clear();
      return {};
    }
    return Fail(ErrorKind::kUsage,
                column.texts == 0
                    ? Text(CellName(target), " is to be a target, and is empty")
                    : Text("line ", column.line, ": ", CellName(target),
                           " is to be a target, and holds texts: '", column.text, "'"),
                "targets are numbers; --label COLUMN takes texts for the names of classes");
  }
  return {};
}

Status CsvTable::ChooseColumns(const std::vector<Column>& columns) {
  for (size_t i = 0; i < width_; ++i) {
    const Column& column = columns[i];
    if (is_label(i)) continue;
    if (!column.holds_numbers()) {
      left_out_.push_back(ColumnName(i));
    } else if (column.texts > 0) {
      return Invalid(Text("line ", column.line, ": ", CellName(i), " is '", column.text, "', and ",
                          column.numbers, " other rows hold numbers there"),
                     "correct the cell, remove the row, or remove the column");
    } else if (!is_target(i)) {
      numeric_.push_back(i);
    }
  }
  if (!numeric_.empty()) return {};
  return Unsupported(has_targets() ? "no column beside the targets holds numbers only"
                                   : "no column holds numbers only",
                     "turn texts into numbers before");
}

std::vector<std::string> CsvTable::numeric_columns() const {
  std::vector<std::string> names;
  for (const size_t column : numeric_) names.push_back(ColumnName(column));
  return names;
}

std::vector<std::string> CsvTable::target_columns() const {
  std::vector<std::string> names;
  for (const size_t column : targets_) {
    const bool named = has_header() && ColumnOf(names_[column]) == column;
    names.push_back(named ? names_[column] : Text(column));
  }
  return names;
}

CsvTable::Choice CsvTable::Choose(const std::string& name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  if (at == names_.end()) return {.refusal = "has no column"};
  const auto column = static_cast<size_t>(at - names_.begin());
  if (std::count(at, names_.end(), name) > 1) return {.refusal = "has several columns"};
  if (is_label(column)) return {.refusal = "has its labels in"};
  if (is_target(column)) return {.refusal = "has its targets in"};
  if (!std::count(numeric_.begin(), numeric_.end(), column))
    return {.refusal = "has no numbers in"};
  return {.column = column};
}

std::string CsvTable::WhyNot(const std::vector<std::string>& columns) const {
  std::map<std::string_view, std::vector<std::string>> refused;  // by the reason
  for (const std::string& name : columns) {
    if (const char* refusal = Choose(name).refusal) refused[refusal].push_back(name);
  }
  std::string text;
  for (const auto& [refusal, names] : refused)
    text += Text(text.empty() ? "" : "; ", refusal, ' ', Joined(names, 8));
  return text;
}

bool CsvTable::Select(const std::vector<std::string>& columns) {
  std::vector<size_t> selected;
  for (const std::string& name : columns) {
    const Choice choice = Choose(name);
    if (choice.refusal) return false;
    selected.push_back(choice.column);
  }
  if (selected.empty()) return false;
  for (const size_t column : numeric_) {
    if (!std::count(selected.begin(), selected.end(), column)) left_out_.push_back(names_[column]);
  }
  numeric_ = std::move(selected);
  return true;
}

std::string CsvTable::CellName(size_t column) const {
  return names_.empty() ? ColumnName(column) : Text("column ", names_[column]);
}

// Counts, so that nothing is kept for what messages alone ask.
int64_t CsvTable::LineOf(uint64_t offset) const {
  int64_t line = 1;
  for (uint64_t i = 0; i < offset; ++i) {
    const bool alone = text_[i] == '\r' && (i + 1 >= text_.size() || text_[i + 1] != '\n');
    line += text_[i] == '\n' || alone;
  }
  return line;
}

Status CsvTable::CheckMixed(const std::vector<std::string>& texts) const {
  int64_t whole = 0;
  std::optional<size_t> odd;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (Number<int64_t>(texts[i])) {
      ++whole;
    } else if (!odd) {
      odd = i;
    }
  }
  if (!odd || 2 * whole < std::ssize(texts)) return {};
  return Invalid(Text("line ", line(static_cast<int64_t>(*odd)), ": ", CellName(label_column_),
                      " is '", texts[*odd], "', and ", whole, " other rows hold whole numbers"),
                 "correct the label or remove the row; labels that are texts stand in --classes "
                 "FILE, a class a line");
}

namespace {

// The whole number that a text stands for, also as tables of floats write it; none for "".
std::optional<int64_t> ClassNumber(const std::string& text) {
  if (text.empty()) return kNoLabel;
  if (const auto whole = Number<int64_t>(text)) return whole;
  const auto number = Number<double>(text);
  if (!number || *number != std::floor(*number) || std::abs(*number) > 1e15) return std::nullopt;
  return static_cast<int64_t>(*number);
}

}  // namespace

bool CsvTable::TakeNumbers(const std::vector<std::string>& texts) {
  std::vector<int64_t> labels;
  bool decimal = false, negative = false, only_signs = true;
  for (const std::string& text : texts) {
    const auto number = ClassNumber(text);
    if (!number || *number < kNoLabel) return false;
    labels.push_back(*number);
    decimal = decimal || !(text.empty() || Number<int64_t>(text));
    negative = negative || (*number < 0 && !text.empty());
    only_signs = only_signs && (*number == 1 || *number < 0);
  }
  if (negative && only_signs) return false;  // the two classes of many tables
  const std::string missing = MissingClasses(labels);
  if (decimal || !missing.empty()) {
    label_note_ = Text("the labels in ", CellName(static_cast<size_t>(label_column_)),
                       " are whole numbers and were taken for the classes themselves",
                       missing.empty() ? "" : ": ", missing);
  }
  labels_ = std::move(labels);
  return !texts.empty();
}

Status CsvTable::NumberLabels(const std::vector<std::string>& texts, const ClassTable& classes) {
  for (const auto& names : classes) classes_.push_back(names.front());
  auto index = IndexOf(classes);
  const bool all_named = std::all_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return text.empty() || index.contains(text);
  });
  if (!all_named && TakeNumbers(texts)) return {};
  if (classes.empty()) {
    PARE_TRY(CheckMixed(texts));
    classes_sorted_ = true;
    for (const std::string& text : texts) {
      if (!text.empty()) index.emplace(text, 0);
    }
    for (auto& [text, label] : index) {
      label = static_cast<int64_t>(classes_.size());
      classes_.emplace_back(text);
    }
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty()) {  // nothing is known of the row
      labels_.push_back(kNoLabel);
      continue;
    }
    const auto at = index.find(texts[i]);
    if (at == index.end()) {
      return Fail(ErrorKind::kUsage,
                  Text("line ", line(static_cast<int64_t>(i)), ": the label '", texts[i],
                       "' is none of the classes"),
                  "each must stand in a line of --classes FILE, or of the classes that the model "
                  "was made with");
    }
    labels_.push_back(at->second);
  }
  return {};
}

size_t CsvTable::row_bytes(int64_t index) const {
  return (index + 1 < size() ? offsets_[index + 1] : text_.size()) - offsets_[index];
}

Result<Tensor> CsvTable::Cells(int64_t index, const std::vector<size_t>& columns) const {
  PARE_ASSIGN(Tensor row, Tensor::Make(DType::kF32, {std::ssize(columns)}));
  const std::span<float> values = row.mutable_as<float>();
  std::vector<std::string> cells;
  size_t position = offsets_[index];
  if (!ReadRow(text_, position, separator_, cells) || cells.size() != width_) {
    return Invalid("the row has changed since the file was opened");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::string& cell = cells[columns[i]];
    const auto value = Number<float>(cell);
    if (!value || !std::isfinite(*value)) {
      return Invalid(Text(CellName(columns[i]), " is '", cell, "', no finite number"),
                     "fill in or remove rows with missing values");
    }
    values[i] = *value;
  }
  return row;
}

namespace {

void AddLine(std::string& text, std::string_view line) {
  text += Text(text.empty() ? "" : "\n", line);
}

enum class Rows : uint8_t {
  kWhole,       // one input
  kNamedCells,  // an input a column
};

// A table in its file, which its samples and its targets read.
struct CsvFile {
  std::shared_ptr<const MappedFile> file;
  CsvTable table;

  std::string RowName(int64_t index) const {
    return Text(file->path(), ": line ", table.line(index));
  }
};

class CsvTargetRows : public Dataset {
 public:
  explicit CsvTargetRows(std::shared_ptr<const CsvFile> csv) : csv_(std::move(csv)) {
    columns_ = csv_->table.target_columns();
  }

  int64_t size() const override { return csv_->table.size(); }
  bool has_labels() const override { return false; }
  int64_t label(int64_t) const override { return kNoLabel; }
  std::string SampleName(int64_t index) const override { return csv_->RowName(index); }
  Result<Sample> Get(int64_t index) const override {
    auto row = csv_->table.Targets(index);
    csv_->file->Used(csv_->table.row_bytes(index));
    if (!row) return Fail(row.error().at(SampleName(index)));
    return Sample{{SampleInput{"", *std::move(row), false}}, kNoLabel};
  }

 private:
  std::shared_ptr<const CsvFile> csv_;
};

class CsvDataset : public Dataset {
 public:
  // `matched`: the columns were chosen by their names.
  CsvDataset(std::shared_ptr<const CsvFile> csv, Rows rows, bool matched, std::string note)
      : csv_(std::move(csv)), table_(csv_->table), rows_(rows) {
    if (table_.has_targets()) targets_ = std::make_shared<CsvTargetRows>(csv_);
    classes_ = table_.classes();
    classes_sorted_ = table_.classes_sorted();
    note_ = std::move(note);
    if (!table_.label_note().empty()) AddNote(table_.label_note());
    if (!table_.left_out().empty()) {
      const bool one = table_.left_out().size() == 1;
      AddNote(Text(table_.left_out().size(), one ? " column " : " columns ",
                   !matched ? ""
                   : one    ? "is not the model's, or "
                            : "are not the model's, or ",
                   one ? "holds" : "hold", " other things than numbers and ", one ? "was" : "were",
                   " left out: ", Joined(table_.left_out(), 8)));
    }
    if (table_.has_header() && rows == Rows::kWhole) columns_ = table_.numeric_columns();
  }

  int64_t size() const override { return table_.size(); }
  bool has_labels() const override { return !table_.labels().empty(); }
  int64_t label(int64_t index) const override {
    return has_labels() ? table_.labels()[index] : kNoLabel;
  }
  std::string SampleName(int64_t index) const override { return csv_->RowName(index); }
  std::string shape_advice() const override {
    const std::vector<std::string> names = table_.numeric_columns();
    const std::string columns = Text("a sample is the columns ", Joined(names, 3),
                                     names.size() > 3 ? ", " + names.back() : std::string());
    return has_labels() || targets_ ? columns + "; the model wants another number of them"
                                    : columns +
                                          "; --label COLUMN names the one that holds the label, "
                                          "--target-columns those that hold values to learn";
  }
  Result<Sample> Get(int64_t index) const override {
    auto row = table_.Row(index);
    csv_->file->Used(table_.row_bytes(index));
    if (!row) return Fail(row.error().at(SampleName(index)));
    if (rows_ == Rows::kWhole)
      return Sample{{SampleInput{"", *std::move(row), false}}, label(index)};
    Sample sample{.inputs = {}, .label = label(index)};
    const std::vector<std::string> names = table_.numeric_columns();
    for (size_t i = 0; i < names.size(); ++i)
      sample.inputs.push_back({names[i], Tensor::Of<float>({1}, {row->as<float>()[i]}), false});
    return sample;
  }

 private:
  void AddNote(std::string_view text) { AddLine(note_, text); }

  std::shared_ptr<const CsvFile> csv_;
  const CsvTable& table_;
  Rows rows_;
};

// Numbers in the places of others would give answers that look like any.
Error OtherColumns(const CsvTable& table, const std::vector<std::string>& columns) {
  return Error(
      ErrorKind::kUsage,
      Text(table.WhyNot(columns), ", and the model was made with the columns ", Joined(columns, 8)),
      Text("add what is missing or name it so in the header; --by-position takes the "
           "columns of numbers by their places: ",
           Joined(table.numeric_columns(), 8)));
}

std::string NoHeader(const std::vector<std::string>& columns) {
  return Text(
      "the columns are taken by their places, for there is no header with those that the model was "
      "made with: ",
      Joined(columns, 8));
}

}  // namespace

Result<DatasetPtr> OpenCsv(const std::string& path, const DatasetOptions& options) {
  if (options.by_position && options.inputs.size() > 1) {
    return Fail(Error(ErrorKind::kUsage,
                      "--by-position has no effect: each of the model's inputs takes the column of "
                      "its name",
                      "leave it out, and name the columns as the inputs")
                    .at(path));
  }
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  PARE_ASSIGN(const ClassTable classes, ReadClasses(options));
  const bool usual = options.label_column.empty();
  const std::string& column = usual ? options.usual_label_column : options.label_column;
  const bool usual_targets = options.target_columns.empty();
  const CsvTargets targets{
      .columns = usual_targets ? options.usual_target_columns : options.target_columns,
      .may_lack = usual_targets};
  auto table =
      CsvTable::Parse(text, {.column = column, .may_lack = usual, .classes = classes}, targets);
  if (!table) return Fail(table.error().at(path));
  std::string note;
  if (!column.empty() && table->labels().empty() && !table->has_targets())
    AddLine(note, Text("there are no labels: the model's were in a column '", column, "'"));
  if (!targets.columns.empty() && !table->has_targets())
    AddLine(note, Text("there are no targets: the model's were in ", Joined(targets.columns, 8)));
  const bool several = options.inputs.size() > 1 && table->Select(options.inputs);
  const bool known = !several && !options.by_position && !options.columns.empty();
  const bool matched = several || (known && table->Select(options.columns));
  if (known && !matched && table->numeric_columns() != options.columns) {
    if (table->has_header()) return Fail(OtherColumns(*table, options.columns).at(path));
    AddLine(note, NoHeader(options.columns));
  }
  return std::make_shared<CsvDataset>(
      std::make_shared<const CsvFile>(CsvFile{file, *std::move(table)}),
      several ? Rows::kNamedCells : Rows::kWhole, matched, note);
}

}  // namespace pare::data
