#include "data/csv.h"

#include <gtest/gtest.h>

#include "data/dataset_parts.h"
#include "platform/test_folder.h"

namespace pare::data {
namespace {

using Floats = std::vector<float>;
using Labels = std::vector<int64_t>;
using Names = std::vector<std::string>;

Floats RowOf(const CsvTable& table, int64_t index) {
  const auto row = table.Row(index);
  EXPECT_TRUE(row) << row.error().message();
  const auto values = row->as<float>();
  return {values.begin(), values.end()};
}

TEST(Csv, HeaderOrNot) {
  const auto with = CsvTable::Parse("a,b\n1,2\n3,4\n", "");
  ASSERT_TRUE(with) << with.error().message();
  EXPECT_EQ(with->size(), 2);
  EXPECT_EQ(RowOf(*with, 1), (Floats{3, 4}));
  const auto without = CsvTable::Parse("1,2\n3,4", "");
  ASSERT_TRUE(without);
  EXPECT_EQ(without->size(), 2);
  EXPECT_EQ(RowOf(*without, 0), (Floats{1, 2}));
  const auto years = CsvTable::Parse("class,2019,2020\n1,2,3\n", "class");  // a header with numbers
  ASSERT_TRUE(years);
  EXPECT_EQ(years->size(), 1);
}

TEST(Csv, LabelsByNameNumberOrText) {
  const char* text = "x,kind,y\n1,b,2\n3,a,4\n5,b,6\n";
  for (const char* column : {"kind", "1"}) {
    const auto table = CsvTable::Parse(text, column);
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(table->labels(), (Labels{1, 0, 1}));
    EXPECT_EQ(table->classes(), (Names{"a", "b"}));
    EXPECT_EQ(RowOf(*table, 2), (Floats{5, 6}));
    EXPECT_TRUE(table->left_out().empty());
  }
  EXPECT_EQ(CsvTable::Parse("1,9\n2,7\n", "1")->labels(), (Labels{9, 7}));
  const auto missing = CsvTable::Parse(text, "colour");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("x, kind, y"), std::string::npos);
  EXPECT_FALSE(CsvTable::Parse("1,2\n", "2"));
}

TEST(Csv, ClassesThatAreGivenNumberTheTexts) {
  const char* text = "x,kind\n1,b\n3,a\n";
  const CsvLabels labels{.column = "kind", .classes = {{"b", "beta"}, {"c"}, {"a"}}};
  const auto table = CsvTable::Parse(text, labels);
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->labels(), (Labels{0, 2}));
  EXPECT_EQ(table->classes(), (Names{"b", "c", "a"}));
  EXPECT_EQ(CsvTable::Parse("x,kind\n1,0\n3,2\n", labels)->labels(), (Labels{0, 2}));
  const auto unknown = CsvTable::Parse("x,kind\n1,d\n", labels);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("the label 'd'"), std::string::npos);
}

TEST(Csv, AColumnThatMayLack) {
  const CsvLabels labels{.column = "kind", .may_lack = true};
  EXPECT_EQ(CsvTable::Parse("kind,2019\n1,2\n", labels)->labels(), (Labels{1}));
  const auto without = CsvTable::Parse("x,y\n1,2\n", labels);
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_TRUE(without->labels().empty());
  EXPECT_EQ(without->columns(), 2);
}

TEST(Csv, QuotesSeparatorsAndLineEnds) {
  const auto table = CsvTable::Parse(
      "\xef\xbb\xbfname;v;w\r\n\"a;\"\"b\"\"\nc\"; +1.5 ;\"2\"\r\n\r\nplain;-3e2;4", "name");
  ASSERT_TRUE(table) << table.error().message();
  ASSERT_EQ(table->size(), 2);
  EXPECT_EQ(table->classes(), (Names{"a;\"b\"\nc", "plain"}));
  EXPECT_EQ(RowOf(*table, 0), (Floats{1.5f, 2}));
  EXPECT_EQ(RowOf(*table, 1), (Floats{-300, 4}));
  const auto tabs = CsvTable::Parse("1\t2,5\n3\t4,5\n", "");
  ASSERT_TRUE(tabs);
  EXPECT_EQ(tabs->columns(), 1);
}

TEST(Csv, TextColumnsAreLeftOutAndGapsAreErrors) {
  const auto table = CsvTable::Parse("n,t,e\n1,x,\n,y,\n", "");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->left_out(), (Names{"t", "e"}));
  EXPECT_EQ(RowOf(*table, 0), Floats{1});
  const auto gap = table->Row(1);
  ASSERT_FALSE(gap);
  EXPECT_NE(gap.error().message().find("n is ''"), std::string::npos) << gap.error().message();
  EXPECT_FALSE(CsvTable::Parse("1\nnan\n", "")->Row(1));
}

std::string FaultOf(const char* text, const char* label = "") {
  const auto table = CsvTable::Parse(text, label);
  return table ? "" : table.error().message();
}

TEST(Csv, OneTextAmongNumbersIsAMistakeAndNoTextColumn) {
  const std::string fault = FaultOf("a,b\n1,2\n\n3,abc\n5,6\n");
  EXPECT_TRUE(fault.starts_with("line 4: column b is 'abc', and 2 other rows hold numbers"))
      << fault;
  EXPECT_TRUE(FaultOf("1,2\n3,abc\n").starts_with("line 2: column 1 is 'abc'"));
  // A number among texts: still texts.
  std::string ids = "n,id\n";
  for (int i = 0; i < 20; ++i) ids += i == 7 ? "1,12\n" : "1,x12\n";
  EXPECT_EQ(CsvTable::Parse(ids, "")->left_out(), Names{"id"});
}

TEST(Csv, OneLabelThatIsNoWholeNumberIsAMistake) {
  const std::string fault = FaultOf("x,y\n1,0\n2,3.5\n3,1\n", "y");
  EXPECT_TRUE(fault.starts_with("line 3: column y is '3.5', and 2 other rows hold whole numbers"))
      << fault;
  // Many of them are what they are: texts.
  EXPECT_EQ(FaultOf("x,y\n1,0\n2,3.5\n3,1.5\n", "y"), "");
}

TEST(Csv, AnEmptyCellIsNoClass) {
  const auto table = CsvTable::Parse("x,kind\n1,b\n2,\n3,a\n", "kind");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_EQ(table->labels(), (Labels{1, kNoLabel, 0}));
  EXPECT_EQ(table->classes(), (Names{"a", "b"}));
}

TEST(Csv, WholeNumbersAreTheClassesHoweverTheyAreWritten) {
  const auto labels = [](const char* column) {
    std::string text = "x,y\n";
    for (std::string_view rest = column; !rest.empty();) {
      const size_t end = std::min(rest.find(' '), rest.size());
      text += Text("1,", rest.substr(0, end), '\n');
      rest.remove_prefix(std::min(rest.size(), end + 1));
    }
    return CsvTable::Parse(text, "y").value();
  };
  // A class without a sample changes no other's number.
  EXPECT_EQ(labels("0 1 3").labels(), (Labels{0, 1, 3}));
  EXPECT_NE(labels("0 1 3").label_note().find("the classes themselves: none is 2"),
            std::string::npos);
  EXPECT_EQ(labels("0 1 2").label_note(), "");
  EXPECT_EQ(labels("0.0 1.0 3.0").labels(), (Labels{0, 1, 3}));
  EXPECT_NE(labels("0.0 1.0").label_note().find("the classes themselves"), std::string::npos);
  EXPECT_TRUE(labels("0.0 3.0").classes().empty());
  // −1, or nothing, is no class.
  EXPECT_EQ(labels("0 -1 3").labels(), (Labels{0, kNoLabel, 3}));
  EXPECT_EQ(labels("0 \"\" 3").labels(), (Labels{0, kNoLabel, 3}));
  EXPECT_EQ(labels("-1 1 -1").labels(), (Labels{0, 1, 0})) << "two names";
  EXPECT_EQ(labels("-2 1 0").classes(), (Names{"-2", "0", "1"}));
  // Names that are given go before.
  const CsvLabels given{.column = "y", .classes = {{"5"}, {"7"}}};
  EXPECT_EQ(CsvTable::Parse("x,y\n1,7\n1,5\n", given)->labels(), (Labels{1, 0}));
}

TEST(Csv, ColumnsCanBeChosenByTheirNames) {
  auto table = CsvTable::Parse("a,b,t,c\n1,2,x,3\n", "").value();
  EXPECT_FALSE(table.Select({"c", "d"}));
  EXPECT_FALSE(table.Select({"c", "t"})) << "texts";
  EXPECT_EQ(RowOf(table, 0), (Floats{1, 2, 3}));
  EXPECT_TRUE(table.Select({"c", "a"}));
  EXPECT_EQ(RowOf(table, 0), (Floats{3, 1}));
  EXPECT_EQ(table.left_out(), (Names{"t", "b"}));
  EXPECT_EQ(table.WhyNot({"c", "a"}), "");
  EXPECT_EQ(table.WhyNot({"x", "t", "c", "z"}), "has no column x, z; has no numbers in t");
  EXPECT_EQ(CsvTable::Parse("a,a,y\n1,2,3\n", "y")->WhyNot({"a", "y"}),
            "has its labels in y; has several columns a");
  EXPECT_FALSE(CsvTable::Parse("1,2\n", "")->Select({"column 0"}));
  EXPECT_FALSE(CsvTable::Parse("a,a\n1,2\n", "")->Select({"a"}));
}

TEST(Csv, FeedsInputsByTheNamesOfItsColumns) {
  TestFolder folder;
  const std::string path = folder.Write("t.csv", "b,a,id\n1,2,7\n3,4,8\n");
  const auto several = OpenDataset(path, {.inputs = {"a", "b"}}).value();
  const Sample sample = several->Get(1).value();
  ASSERT_EQ(sample.inputs.size(), 2u);
  EXPECT_EQ(sample.inputs[0].name, "a");
  EXPECT_EQ(sample.inputs[0].tensor.as<float>()[0], 4);
  EXPECT_EQ(sample.inputs[1].tensor.as<float>()[0], 3);
  EXPECT_TRUE(several->columns().empty());
  EXPECT_EQ(OpenDataset(path, {.inputs = {"a", "z"}}).value()->Get(0)->inputs.size(), 1u);

  const auto ordered = OpenDataset(path, {.inputs = {"x"}, .columns = {"a", "b"}}).value();
  EXPECT_EQ(ordered->columns(), (Names{"a", "b"}));
  const Tensor row = ordered->Get(0)->inputs[0].tensor;
  EXPECT_EQ(row.as<float>()[0], 2);
  EXPECT_EQ(row.as<float>()[1], 1);
  const auto other = OpenDataset(path, {.columns = {"a", "z"}});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind(), ErrorKind::kUsage);
  EXPECT_TRUE(other.error().message().starts_with(path + ": has no column z, and the model"))
      << other.error().message();
  const auto by_place = OpenDataset(path, {.columns = {"a", "b"}, .by_position = true}).value();
  EXPECT_EQ(by_place->Get(0)->inputs[0].tensor.as<float>()[0], 1);
  const auto useless = OpenDataset(path, {.inputs = {"a", "b"}, .by_position = true});
  ASSERT_FALSE(useless);
  EXPECT_EQ(useless.error().kind(), ErrorKind::kUsage);
  const std::string bare = folder.Write("bare.csv", "1,2\n3,4\n");
  const auto headless = OpenDataset(bare, {.columns = {"a", "z"}}).value();
  EXPECT_EQ(headless->Get(0)->inputs[0].tensor.as<float>()[0], 1);
  EXPECT_NE(headless->note().find("taken by their places"), std::string::npos) << headless->note();
}

TEST(Csv, TargetsAreColumnsOfTheirOwn) {
  const char* text = "x,price,t,y,area\n1,2,k,a,3\n4,5,l,b,6\n";
  for (const Names& columns : {Names{"area", "price"}, Names{"4", "1"}}) {
    auto table = CsvTable::Parse(text, CsvLabels{"y"}, {.columns = columns});
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(RowOf(*table, 1), (Floats{4}));
    EXPECT_EQ(table->Targets(1)->as<float>()[0], 6);
    EXPECT_EQ(table->Targets(1)->as<float>()[1], 5);
    EXPECT_EQ(table->left_out(), (Names{"t"}));
    EXPECT_EQ(table->WhyNot({"x", "price"}), "has its targets in price");
  }
  // A header of numbers is known by a target's name.
  EXPECT_EQ(CsvTable::Parse("price,2019\n1,2\n", {}, {.columns = {"price"}})->size(), 1);
  const auto fault = [&](const char* table, Names columns) {
    const auto parsed = CsvTable::Parse(table, CsvLabels{"y"}, {.columns = std::move(columns)});
    return parsed ? std::string() : parsed.error().reason();
  };
  EXPECT_EQ(fault(text, {"cost"}), "there is no column 'cost'");
  EXPECT_EQ(fault(text, {"x", "0"}), "column x is twice among the targets");
  EXPECT_EQ(fault(text, {"y"}), "column y is to hold the label and a target");
  EXPECT_EQ(fault(text, {"t"}), "line 2: column t is to be a target, and holds texts: 'k'");
  EXPECT_EQ(fault("x,y,p\n1,a,\n", {"p"}), "column p is to be a target, and is empty");
  EXPECT_EQ(fault("x,y,p\n1,a,1\n1,a,1\n1,a,n\n", {"p"}),
            "line 4: column p is 'n', and 2 other rows hold numbers there");
  EXPECT_EQ(fault("p,y\n1,a\n", {"p"}), "no column beside the targets holds numbers only");
}

TEST(Csv, TargetsAreADatasetOfTheirOwn) {
  TestFolder folder;
  const std::string path = folder.Write("t.csv", "a,b,c\n1,2,3\n4,,6\n");
  const auto data = OpenDataset(path, {.target_columns = {"b"}}).value();
  ASSERT_TRUE(data->targets());
  EXPECT_EQ(data->targets()->size(), 2);
  EXPECT_EQ(data->columns(), (Names{"a", "c"}));
  EXPECT_EQ(data->targets()->Get(0)->inputs[0].tensor.as<float>()[0], 2);
  EXPECT_TRUE(data->targets()->Get(1).error().message().starts_with(
      path + ": line 3: column b is '', no finite number"));
  EXPECT_NE(OpenDataset(path, {.target_columns = {"d"}}).error().message().find("t.csv: there is"),
            std::string::npos);
  // What a model's file names may lack, and may be still unknown.
  const auto usual = OpenDataset(path, {.usual_target_columns = {"c"}}).value();
  EXPECT_TRUE(usual->targets());
  const std::string blank = folder.Write("u.csv", "a,c\n1,\n4,\n");
  for (const char* column : {"c", "d"}) {
    const auto lacking =
        OpenDataset(blank, {.usual_target_columns = {column}, .columns = {"a"}}).value();
    EXPECT_FALSE(lacking->targets());
    EXPECT_NE(lacking->note().find(Text("there are no targets: the model's were in ", column)),
              std::string::npos)
        << lacking->note();
  }
  // A label that nobody asked for gives way.
  const auto both = OpenDataset(path, {.usual_label_column = "c", .target_columns = {"c"}}).value();
  EXPECT_TRUE(both->targets());
  EXPECT_FALSE(both->has_labels());
  // Not so where targets that nobody asked for are not all there, or are texts.
  for (const char* table : {"a,c\n1,0\n4,1\n", "a,c,d\n1,0,k\n4,1,l\n", "a,c,d\n1,k,2\n4,l,3\n"}) {
    const auto kept = OpenDataset(folder.Write("l.csv", table), {.usual_label_column = "c",
                                                                 .usual_target_columns = {"c", "d"},
                                                                 .columns = {"a"}})
                          .value();
    EXPECT_FALSE(kept->targets());
    EXPECT_TRUE(kept->has_labels()) << table;
    EXPECT_EQ(kept->label(1), 1);
    EXPECT_EQ(kept->columns(), (Names{"a"}));
  }
  EXPECT_FALSE(OpenDataset(folder.Write("x.txt", ""), {.target_columns = {"b"}}));
}

TEST(Csv, LinesAreThoseOfTheFile) {
  const auto table = CsvTable::Parse("a,t\r\n1,x\r\n\r\n3,\"y\nz\"\r\n5,x\r7,x\r\n", "");
  ASSERT_TRUE(table) << table.error().message();
  ASSERT_EQ(table->size(), 4);
  EXPECT_EQ(table->line(0), 2);
  EXPECT_EQ(table->line(1), 4);
  EXPECT_EQ(table->line(2), 6);
  EXPECT_EQ(table->line(3), 7);
  const std::string fault = FaultOf("a,b\n1,2\n3\n");
  EXPECT_TRUE(fault.starts_with("line 3 has 1 cells")) << fault;
}

TEST(Csv, DamageIsAnError) {
  for (const char* text :
       {"", "\n", "a,b\n", "1,2\n3\n", "1,2\n3,4,5\n", "\"1,2\n", "1,\"2\n3,4\n", "a,b\nx,y\n"}) {
    EXPECT_FALSE(CsvTable::Parse(text, "")) << text;
  }
}

TEST(Csv, AsDataset) {
  TestFolder folder;
  const std::string path = folder.Write("t.csv", "a,b,c\n1,x,0\n2,y,1\n,z,1\n");
  DatasetOptions options;
  options.label_column = "c";
  const auto data = OpenDataset(path, options);
  ASSERT_TRUE(data) << data.error().message();
  EXPECT_EQ((*data)->size(), 3);
  EXPECT_EQ((*data)->label(1), 1);
  EXPECT_EQ((*data)->Get(1)->inputs[0].tensor.as<float>()[0], 2);
  EXPECT_NE((*data)->note().find("left out: b"), std::string::npos) << (*data)->note();
  EXPECT_NE((*data)->shape_advice().find("the columns a; the model"), std::string::npos);
  EXPECT_NE((*OpenDataset(path))->shape_advice().find("the columns a, c; --label COLUMN"),
            std::string::npos);
  const std::string message = (*data)->Get(2).error().message();
  EXPECT_NE(message.find("t.csv: line 4"), std::string::npos) << message;
}

}  // namespace
}  // namespace pare::data
