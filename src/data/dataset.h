// Samples from disk, as they are there: pictures undecoded until asked for, arrays as stored. What
// a model wants of them is the Loader's business.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace pare::data {

inline constexpr int64_t kNoLabel = -1;

struct SampleInput {
  std::string name;  // "" where the data has no names: the model's only input
  Tensor tensor;     // without a batch dimension; a picture is u8 [height, width, channels]
  bool picture = false;
};

struct Sample {
  std::vector<SampleInput> inputs;
  int64_t label = kNoLabel;
};

// Immutable; all calls may come from several threads.
class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;
  virtual Result<Sample> Get(int64_t index) const = 0;
  virtual int64_t label(int64_t index) const = 0;  // without reading the sample
  virtual bool has_labels() const = 0;
  // Which sample this is, for messages and reports: a path, "x.npy[7]", "t.csv line 12".
  virtual std::string SampleName(int64_t index) const = 0;

  // Bytes that the sample's picture is decoded from; nothing where Get decodes none, and is cheap.
  virtual Result<std::optional<int64_t>> CodedBytes(int64_t /*index*/) const {
    return std::optional<int64_t>();
  }

  // The files that are read beside the one that was opened: labels and class names that were found
  // there, the pictures of a list or folder.
  virtual std::vector<std::string> files() const { return files_; }
  // Of classes 0, 1, …; empty where they have no names.
  const std::vector<std::string>& classes() const { return classes_; }
  // Whether these are names from the data in alphabetical order, for want of another.
  bool classes_sorted() const { return classes_sorted_; }
  // Of the numbers of a sample's only array, where the data names them (the header of a table).
  const std::vector<std::string>& columns() const { return columns_; }
  // What the data says that a model's first output shall be: as many samples of one array each;
  // null where it doesn't.
  const std::shared_ptr<const Dataset>& targets() const { return targets_; }
  // Why there are no labels, where something looked like them: what follows "has no labels", and
  // begins with ": "; may be empty.
  const std::string& why_unlabelled() const { return why_unlabelled_; }
  // What to do where samples have another shape than a model wants; "" where nothing special.
  virtual std::string shape_advice() const { return ""; }
  // What the user should know of how the data was read ("3 files are no pictures and were left
  // out"); may be empty.
  const std::string& note() const { return note_; }

 protected:
  std::vector<std::string> classes_, columns_;
  std::shared_ptr<const Dataset> targets_;
  std::string note_, why_unlabelled_;
  std::vector<std::string> files_;
  bool classes_sorted_ = false;
};

struct DatasetOptions {
  std::string label_column = {};  // CSV: the column with the label, by name or by number from 0
  // The same where data has columns and this one is among them; else it goes unused.
  std::string usual_label_column = {};
  // CSV: the columns with the numbers that a model's first output shall be, named in the same way.
  std::vector<std::string> target_columns = {};
  std::vector<std::string> usual_target_columns = {};  // likewise, where all are there
  std::string labels_path = {};   // .npy or IDX: labels, where they don't lie beside the data
  std::string classes_path = {};  // text: a class a line; gives the order of folders' names and of
                                  // labels that are texts
  std::string classes_text = {};  // the content of such a file, where there is no path
  // How many classes the model has; 0: unknown. Class folders that are numbers of some of them are
  // not numbered anew.
  int64_t class_count = 0;
  // CSV with a header: the model's inputs. Where there are several and each has a column of its
  // name, each takes that one.
  std::vector<std::string> inputs = {};
  // The same: the names of the numbers in a model's only input, which are taken in this order. A
  // header that lacks one is an error; without a header they are taken by their places.
  std::vector<std::string> columns = {};
  bool by_position = false;  // by their places, whatever `columns` and a header say; an error with
                             // several inputs
};

// By looking at `path`:
//   a folder of class folders (in the order of their names), or of pictures alone (no labels)
//   a .tar of the same, read in place
//   a .txt/.lst list of "path<TAB or space>label" lines, or of paths alone
//   .npy (first axis = samples; labels in options or in <stem>_labels.npy)
//   .npz (arrays by name, first axis = samples; "label", "labels" or "y" are the labels)
//   CIFAR-10/100 binaries (.bin, or a folder of them)
//   IDX (MNIST; the labels are found beside the images by name)
//   .csv/.tsv (numeric columns are one float row)
Result<std::shared_ptr<const Dataset>> OpenDataset(const std::string& path,
                                                   const DatasetOptions& options = {});

// Whether it is opened as a table, whose columns have names.
bool IsTable(const std::string& path);

// Whether its first sample has a picture: preprocessing moves nothing else.
Result<bool> HoldsPictures(const Dataset& dataset);

// Whether an array of an .npz holds labels, by its name.
bool IsLabelName(std::string_view name);

// One array as one sample after the other along its first axis, for tests and callers with data in
// memory. `labels` may be empty.
Result<std::shared_ptr<const Dataset>> DatasetOf(std::vector<SampleInput> inputs,
                                                 std::vector<int64_t> labels,
                                                 std::string name = "data");

}  // namespace pare::data
