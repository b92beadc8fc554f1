// The kinds of data behind OpenDataset, one factory each.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "platform/file.h"

namespace pare::data {

using DatasetPtr = std::shared_ptr<const Dataset>;

// pictures.cc
Result<DatasetPtr> OpenPictureFolder(const std::string& path, const DatasetOptions& options);
Result<DatasetPtr> OpenPictureTar(const std::string& path, const DatasetOptions& options);
Result<DatasetPtr> OpenPictureList(const std::string& path, const DatasetOptions& options);
// arrays.cc
Result<DatasetPtr> OpenNpy(const std::string& path, const DatasetOptions& options);
Result<DatasetPtr> OpenNpz(const std::string& path, const DatasetOptions& options);
Result<DatasetPtr> OpenIdx(const std::string& path, const DatasetOptions& options);
// cifar.cc
Result<DatasetPtr> OpenCifar(const std::string& path, const DatasetOptions& options);
bool HoldsCifar(const std::string& folder);
// csv.cc
Result<DatasetPtr> OpenCsv(const std::string& path, const DatasetOptions& options);

// labels.cc: one label a sample, from .npy, IDX or a text of one number a line.
Result<std::vector<int64_t>> ReadLabels(const std::string& path);
// Integers, or floats that all are whole.
Result<std::vector<int64_t>> WholeNumbers(const Tensor& tensor);
// Which classes below the highest label have no sample, in words for a note ("none is 2"); "" where
// all have one.
std::string MissingClasses(const std::vector<int64_t>& labels);
// The lines of the options' classes file or text; nothing where neither is given. A class may have
// several names, separated by tabs; a first column of the numbers 0, 1, … is left out.
using ClassTable = std::vector<std::vector<std::string>>;
Result<ClassTable> ReadClasses(const DatasetOptions& options);
// Which class each name stands for; of names that stand twice, the first.
std::map<std::string, int64_t, std::less<>> IndexOf(const ClassTable& classes);

}  // namespace pare::data
