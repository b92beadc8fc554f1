#include "data/dataset.h"

#include <gtest/gtest.h>

#include "data/dataset_parts.h"
#include "data/npy.h"
#include "data/test_pictures.h"
#include "platform/test_folder.h"

namespace pare::data {
namespace {

using Labels = std::vector<int64_t>;
using Names = std::vector<std::string>;

Labels LabelsOf(const Dataset& dataset) {
  Labels labels;
  for (int64_t i = 0; i < dataset.size(); ++i) labels.push_back(dataset.label(i));
  return labels;
}

int FirstByte(const Dataset& dataset, int64_t index) {
  const auto sample = dataset.Get(index);
  EXPECT_TRUE(sample) << sample.error().message();
  return sample ? std::to_integer<int>(*sample->inputs[0].tensor.data()) : -1;
}

// Opens and expects it to work.
DatasetPtr Open(const std::string& path, const DatasetOptions& options = {}) {
  auto dataset = OpenDataset(path, options);
  EXPECT_TRUE(dataset) << dataset.error().message();
  return dataset ? *dataset : nullptr;
}

std::string ErrorOf(const std::string& path, const DatasetOptions& options = {}) {
  const auto dataset = OpenDataset(path, options);
  EXPECT_FALSE(dataset) << path;
  return dataset ? "" : dataset.error().message();
}

#define EXPECT_MENTIONS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << std::string(text)

std::string Picture(int value) { return PngOf(Filled(4, 5, static_cast<uint8_t>(value))); }

TEST(Folder, ClassesInAlphabeticalOrder) {
  TestFolder folder;
  folder.Write("dog/a.png", Picture(1));
  folder.Write("cat/z.png", Picture(2));
  folder.Write("cat/deeper/b.PNG", Picture(3));
  folder.Write("cat/notes.txt", "no picture");
  folder.Write(".hidden/x.png", Picture(9));
  const DatasetPtr data = Open(folder.path());
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{0, 0, 1}));
  EXPECT_EQ(data->classes(), (Names{"cat", "dog"}));
  EXPECT_EQ(FirstByte(*data, 0), 3);
  EXPECT_EQ(FirstByte(*data, 2), 1);
  EXPECT_EQ(data->SampleName(2), folder / "dog/a.png");
  EXPECT_MENTIONS(data->note(), "no pictures: 1 file");
  const Sample sample = data->Get(1).value();
  EXPECT_TRUE(sample.inputs[0].picture);
  EXPECT_EQ(sample.inputs[0].tensor.shape(), (Dims{4, 5, 3}));
}

TEST(Folder, WithoutClassesThereAreNoLabels) {
  TestFolder folder;
  folder.Write("b.png", Picture(2));
  folder.Write("a.png", Picture(1));
  const DatasetPtr data = Open(folder.path());
  ASSERT_TRUE(data);
  EXPECT_FALSE(data->has_labels());
  EXPECT_EQ(FirstByte(*data, 0), 1);
  folder.Write("some/c.png", Picture(3));
  EXPECT_MENTIONS(Open(folder.path())->note(), "no labels are used");
}

TEST(Folder, ClassesFileGivesTheOrder) {
  TestFolder folder;
  folder.Write("data/dog/a.png", Picture(1));
  folder.Write("data/cat/b.png", Picture(2));
  DatasetOptions options;
  options.classes_path = folder.Write("classes.txt", "0\tn1\tfish\r\n1\tn2\tdog\n2\tn3\tcat\n");
  const DatasetPtr data = Open(folder / "data", options);
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{2, 1}));
  EXPECT_EQ(data->classes(), (Names{"n1", "n2", "n3"}));
  options.classes_path = folder.Write("short.txt", "dog\n");
  EXPECT_MENTIONS(ErrorOf(folder / "data", options), "'cat' is none of the classes");
}

TEST(Folder, NumbersOutOfOrderAreToldOf) {
  TestFolder folder;
  for (const char* name : {"2/a.png", "10/a.png"}) folder.Write(name, Picture(1));
  EXPECT_MENTIONS(Open(folder.path())->note(), "'10' before '2'");
}

TEST(Folder, NumbersOfSomeOfTheModelsClassesAreTheLabels) {
  TestFolder folder;
  for (const char* name : {"0/a.png", "10/b.png", "3/c.png"}) folder.Write(name, "");
  EXPECT_EQ(LabelsOf(*Open(folder.path())), (Labels{0, 1, 2}));
  EXPECT_EQ(LabelsOf(*Open(folder.path(), {.class_count = 3})), (Labels{0, 1, 2}));
  EXPECT_EQ(LabelsOf(*Open(folder.path(), {.class_count = 10})), (Labels{0, 1, 2}));
  const DatasetPtr data = Open(folder.path(), {.class_count = 11});
  EXPECT_EQ(LabelsOf(*data), (Labels{0, 10, 3}));
  EXPECT_TRUE(data->classes().empty());
  EXPECT_MENTIONS(data->note(), "classes themselves: none is 1, 2, 4");
}

TEST(Folder, BrokenPictureNamesItself) {
  TestFolder folder;
  folder.Write("a/good.png", Picture(1));
  folder.Write("b/bad.jpg", "no picture at all");
  folder.Write("b/empty.jpg", "");
  const DatasetPtr data = Open(folder.path());
  ASSERT_TRUE(data);
  EXPECT_TRUE(data->Get(0));
  EXPECT_MENTIONS(data->Get(1).error().message(), "b/bad.jpg: is neither a JPEG nor a PNG");
  EXPECT_MENTIONS(data->Get(2).error().message(), "b/empty.jpg: the file is empty");
}

TEST(TarOfPictures, ReadInPlace) {
  TestFolder folder;
  const std::string path = folder.Write(
      "x.tar", TarMember("./top/", "", '5') + TarMember("./top/dog/a.png", Picture(1)) +
                   TarMember("./top/cat/b.png", Picture(2)) + TarMember("./top/LICENSE", "free") +
                   TarMember("./top/dog/c.png", "broken") + TarEnd());
  const DatasetPtr data = Open(path);
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{1, 0, 1}));
  EXPECT_EQ(data->classes(), (Names{"cat", "dog"}));
  EXPECT_EQ(FirstByte(*data, 1), 2);
  EXPECT_MENTIONS(data->Get(2).error().message(), "x.tar: ./top/dog/c.png: ");
  EXPECT_MENTIONS(ErrorOf(folder.Write("cut.tar", TarMember("a.png", Picture(1)).substr(0, 530))),
                  "cut off in a.png");
  EXPECT_MENTIONS(ErrorOf(folder.Write("none.tar", TarEnd())), "holds no pictures");
}

TEST(OnePicture, IsNoData) {
  TestFolder folder;
  EXPECT_MENTIONS(ErrorOf(folder.Write("a.PNG", Picture(1))), "put it in a folder");
}

TEST(ListOfPictures, TabsSpacesAndNoLabels) {
  TestFolder folder;
  folder.Write("pics/with space.png", Picture(1));
  folder.Write("pics/b.png", Picture(2));
  const DatasetPtr data =
      Open(folder.Write("list.txt", "# comment\npics/with space.png 7\r\npics/b.png\t3\n\n"));
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{7, 3}));
  EXPECT_EQ(FirstByte(*data, 0), 1);
  EXPECT_EQ(FirstByte(*data, 1), 2);
  const DatasetPtr plain = Open(folder.Write("plain.lst", "pics/with space.png\npics/b.png"));
  EXPECT_FALSE(plain->has_labels());
  EXPECT_EQ(FirstByte(*plain, 0), 1);
  EXPECT_MENTIONS(ErrorOf(folder.Write("mixed.txt", "pics/b.png 1\npics/b.png\n")),
                  "line 2 has no");
  const DatasetPtr none = Open(folder.Write("none.txt", "pics/b.png 1\npics/b.png -1\n"));
  EXPECT_EQ(LabelsOf(*none), (Labels{1, kNoLabel}));
  EXPECT_MENTIONS(ErrorOf(folder.Write("word.txt", "# a\npics/b.png cat\npics/b.png dog\n")),
                  "word.txt: line 2: the label 'cat' is no whole number");
  EXPECT_MENTIONS(ErrorOf(folder.Write("part.txt", "pics/b.png\t0.5\n")), "the label '0.5'");
  EXPECT_MENTIONS(Open(folder.Write("gone.txt", "no.png 1\n"))->Get(0).error().message(), "no.png");
}

TEST(Npy, SamplesAlongTheFirstAxis) {
  TestFolder folder;
  ASSERT_TRUE(SaveNpy(folder / "x.npy", Tensor::Of<float>({3, 2}, {0, 1, 2, 3, 4, 5})));
  DatasetPtr data = Open(folder / "x.npy");
  ASSERT_TRUE(data);
  EXPECT_FALSE(data->has_labels());
  EXPECT_EQ(data->Get(2)->inputs[0].tensor.as<float>()[1], 5);
  EXPECT_EQ(data->Get(2)->inputs[0].tensor.shape(), Dims{2});
  EXPECT_EQ(data->SampleName(2), folder / "x.npy[2]");
  ASSERT_TRUE(SaveNpy(folder / "x_labels.npy", Tensor::Of<int32_t>({3}, {5, 6, 7})));
  EXPECT_EQ(LabelsOf(*Open(folder / "x.npy")), (Labels{5, 6, 7}));
  DatasetOptions options;
  options.labels_path = folder.Write("other.txt", "1\n2\n3\n");
  EXPECT_EQ(LabelsOf(*Open(folder / "x.npy", options)), (Labels{1, 2, 3}));
  options.labels_path = folder.Write("few.txt", "1\n2\n");
  EXPECT_MENTIONS(ErrorOf(folder / "x.npy", options),
                  "3 samples and 2 labels in " + options.labels_path);
  EXPECT_MENTIONS(ErrorOf(folder / "x.npy", options), "a label for each sample");
  options.labels_path = folder.Write("words.txt", "1\ntwo\n");
  EXPECT_MENTIONS(ErrorOf(folder / "x.npy", options), "words.txt: line 2");
  ASSERT_TRUE(SaveNpy(folder / "scalar.npy", Tensor::Scalar(1.0f)));
  EXPECT_MENTIONS(ErrorOf(folder / "scalar.npy"), "single number");
}

TEST(Npy, BytesOfTheShapeOfPicturesArePictures) {
  TestFolder folder;
  Tensor planar = Tensor::Make(DType::kU8, {1, 3, 4, 5}).value();
  for (int i = 0; i < 60; ++i) planar.mutable_data()[i] = static_cast<std::byte>(i);
  ASSERT_TRUE(SaveNpy(folder / "chw.npy", planar));
  const Sample sample = Open(folder / "chw.npy")->Get(0).value();
  EXPECT_TRUE(sample.inputs[0].picture);
  EXPECT_EQ(sample.inputs[0].tensor.shape(), (Dims{4, 5, 3}));
  EXPECT_EQ(sample.inputs[0].tensor.as<uint8_t>()[1], 20);  // the second channel's first
}

TEST(Npz, InputsByNameAndLabels) {
  TestFolder folder;
  ASSERT_TRUE(SaveNpz(folder / "x.npz", {{"ids", Tensor::Of<int64_t>({2, 1}, {4, 5})},
                                         {"mask", Tensor::Of<int64_t>({2, 1}, {1, 0})},
                                         {"labels", Tensor::Of<int64_t>({2}, {1, 0})}}));
  const DatasetPtr data = Open(folder / "x.npz");
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{1, 0}));
  EXPECT_EQ(data->Get(1)->inputs[0].name, "ids");
  EXPECT_EQ(data->Get(1)->inputs[0].tensor.as<int64_t>()[0], 5);
  ASSERT_TRUE(SaveNpz(folder / "odd.npz", {{"a", Tensor::Of<float>({2}, {1, 2})},
                                           {"b", Tensor::Of<float>({3}, {1, 2, 3})}}));
  EXPECT_MENTIONS(ErrorOf(folder / "odd.npz"), "b has 3 samples");
  // Whole numbers are labels in any type; others are an input of that name.
  const Tensor x = Tensor::Of<float>({2, 1}, {4, 5});
  ASSERT_TRUE(SaveNpz(folder / "float.npz", {{"x", x}, {"y", Tensor::Of<float>({2}, {3, -1})}}));
  EXPECT_EQ(LabelsOf(*Open(folder / "float.npz")), (Labels{3, -1}));
  ASSERT_TRUE(SaveNpz(folder / "half.npz", {{"x", x}, {"y", Tensor::Of<float>({2}, {0.5, 1})}}));
  EXPECT_FALSE(Open(folder / "half.npz")->has_labels());
}

std::string CifarRecord(int label, int value) {
  std::string record(3073, static_cast<char>(value));
  record[0] = static_cast<char>(label);
  record[1 + 1024] = static_cast<char>(value + 1);  // first pixel, green
  return record;
}

TEST(Cifar, FilesAndFolders) {
  TestFolder folder;
  const std::string one = folder.Write("data_batch_1.bin", CifarRecord(3, 10) + CifarRecord(4, 20));
  folder.Write("data_batch_2.bin", CifarRecord(250, 30));
  folder.Write("batches.meta.txt", "plane\ncar\n\n");
  const DatasetPtr file = Open(one);
  EXPECT_EQ(LabelsOf(*file), (Labels{3, 4}));
  const DatasetPtr all = Open(folder.path());
  ASSERT_TRUE(all);
  EXPECT_EQ(LabelsOf(*all), (Labels{3, 4, 250}));
  EXPECT_EQ(all->classes(), (Names{"plane", "car"}));
  EXPECT_EQ(all->SampleName(2), folder / "data_batch_2.bin[0]");
  const Sample sample = all->Get(2).value();
  EXPECT_EQ(sample.inputs[0].tensor.shape(), (Dims{32, 32, 3}));
  EXPECT_EQ(sample.inputs[0].tensor.as<uint8_t>()[0], 30);
  EXPECT_EQ(sample.inputs[0].tensor.as<uint8_t>()[1], 31);
  EXPECT_MENTIONS(ErrorOf(folder.Write("odd.bin", "12345")), "3073");
  const std::string hundred(2 * 3074, '\x05');
  EXPECT_EQ(LabelsOf(*Open(folder.Write("hundred/test.bin", hundred))), (Labels{5, 5}));
}

TEST(Idx, ImagesWithLabelsBesideThem) {
  TestFolder folder;
  const std::string images("\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\3abcdef", 22);
  const std::string labels("\0\0\x08\x01\0\0\0\2\x07\x09", 10);
  const std::string path = folder.Write("t10k-images-idx3-ubyte", images);
  EXPECT_FALSE(Open(path)->has_labels());
  folder.Write("t10k-labels-idx1-ubyte", labels);
  const DatasetPtr data = Open(path);
  ASSERT_TRUE(data);
  EXPECT_EQ(LabelsOf(*data), (Labels{7, 9}));
  const Sample sample = data->Get(1).value();
  EXPECT_TRUE(sample.inputs[0].picture);
  EXPECT_EQ(sample.inputs[0].tensor.shape(), (Dims{1, 3, 1}));
  EXPECT_EQ(sample.inputs[0].tensor.as<uint8_t>()[0], 'd');
  const std::string floats("\0\0\x0d\x02\0\0\0\1\0\0\0\1\x3f\x80\0\0", 16);
  EXPECT_EQ(Open(folder.Write("floats", floats))->Get(0)->inputs[0].tensor.as<float>()[0], 1.0f);
  EXPECT_MENTIONS(ErrorOf(folder.Write("cut", images.substr(0, 20))), "cut off");
}

TEST(Open, UnknownThingsAreErrors) {
  TestFolder folder;
  EXPECT_MENTIONS(ErrorOf(folder / "none"), "no such file");
  EXPECT_MENTIONS(ErrorOf(folder.Write("x.tar.gz", "abc")), "unpack it first");
  EXPECT_MENTIONS(ErrorOf(folder.Write("x.dat", "abc")), "is no data that pare knows");
  EXPECT_MENTIONS(ErrorOf(folder.path()), "holds no pictures");
}

}  // namespace
}  // namespace pare::data
