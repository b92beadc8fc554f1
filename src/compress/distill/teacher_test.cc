#include "compress/distill/teacher.h"

#include <filesystem>

#include "compress/distill/cache.h"
#include "compress/distill/testing.h"
#include "data/npy.h"
#include "platform/file.h"
#include "platform/test_folder.h"

namespace pare::compress {
namespace {

constexpr size_t kRoom = 1 << 20;

Teacher Made(std::string_view text, int64_t batch, size_t cache_bytes = kRoom) {
  return Teacher::Make(GraphOf(text), {}, OneThread(),
                       {.batch = batch, .cache_bytes = cache_bytes, .inputs = {}})
      .value();
}

Tensor FirstRows(const Tensor& rows, int64_t count) {
  Dims shape = rows.shape();
  const size_t bytes = rows.bytes() / static_cast<size_t>(shape[0]) * static_cast<size_t>(count);
  shape[0] = count;
  Tensor some = Tensor::Make(rows.dtype(), shape).value();
  std::memcpy(some.mutable_data(), rows.data(), bytes);
  return some;
}

bool SameRow(const Tensor& a, int64_t row_a, const Tensor& b, int64_t row_b) {
  const size_t bytes = a.bytes() / static_cast<size_t>(a.shape()[0]);
  return std::memcmp(a.data() + static_cast<size_t>(row_a) * bytes,
                     b.data() + static_cast<size_t>(row_b) * bytes, bytes) == 0;
}

// Kernels differ with the number of rows, and sum in other orders.
constexpr std::string_view kProducts = R"(
input x: f32[N,200]
const w: f32[200,64] = random(1, -1, 1)
const v: f32[64,5] = random(2, -1, 1)
h = MatMul(x, w)
r = Relu(h)
y = MatMul(r, v)
output y
)";
constexpr std::string_view kConvolutions = R"(
input x: f32[N,16,8,8]
const w: f32[32,16,3,3] = random(1, -1, 1)
const v: f32[4,32,1,1] = random(2, -1, 1)
h = Conv(x, w) {pads=[1,1,1,1]}
r = Relu(h)
p = GlobalAveragePool(r)
y = Conv(p, v)
output y
)";

// Whatever was asked before, and wherever in the batch it stands.
TEST(Teacher, AnswersARowAlikeBesideAnyOthers) {
  const std::pair<std::string_view, Dims> models[] = {{kProducts, {16, 200}},
                                                      {kConvolutions, {16, 16, 8, 8}}};
  for (const auto& [text, shape] : models) {
    const Tensor rows = RowsOf(shape);
    Teacher fresh = Made(text, 16);
    const Tensor whole = fresh.Answer({rows})->at(0);
    for (int64_t known : {1, 5, 13, 15}) {
      Teacher asked = Made(text, 16);
      ASSERT_TRUE(asked.Answer({FirstRows(rows, known)}));
      const Tensor rest = asked.Answer({rows})->at(0);
      EXPECT_TRUE(graph::SameTensor(rest, whole)) << known << " known\n" << text;
    }
    // More than a batch, which is cut.
    Teacher small = Made(text, 3), once = Made(text, 3);
    const Tensor cut = small.Answer({rows})->at(0);
    const Tensor some = once.Answer({FirstRows(rows, 7)})->at(0);
    for (int64_t row = 0; row < 7; ++row) EXPECT_TRUE(SameRow(cut, row, some, row)) << text;
  }
}

TEST(Teacher, OfAFixedBatchIsRunInIt) {
  Teacher fixed = Made(R"(
input x: f32[2,3]
const w: f32[3,2] = random(1, -1, 1)
y = MatMul(x, w)
output y
)",
                       8, 0);
  const auto answer = fixed.Answer({RowsOf({8, 3})});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->at(0).shape(), (Dims{8, 2}));
}

TEST(Teacher, IsAskedByTheNamesOfItsInputs) {
  const graph::Graph student = GraphOf(R"(
input a: f32[N,2]
input b: f32[N,2]
y = Sub(a, b)
output y
)");
  const graph::Graph teacher = GraphOf(R"(
input b: f32[N,2]
input a: f32[N,2]
y = Sub(a, b)
output y
)");
  Teacher made =
      Teacher::Make(teacher, {}, OneThread(),
                    {.batch = 1, .cache_bytes = 0, .inputs = MatchInputs(student, teacher).value()})
          .value();
  const auto answer =
      made.Answer({Tensor::Of<float>({1, 2}, {5, 6}), Tensor::Of<float>({1, 2}, {1, 1})});
  EXPECT_TRUE(graph::SameTensor(answer->at(0), Tensor::Of<float>({1, 2}, {4, 5})));
}

std::string Net(std::string_view last) {
  return Text("input x: f32[N,4]\nconst w: f32[4,3] = random(1, -1, 1)\nh = MatMul(x, w)\n", last,
              "\noutput y\n");
}

// Weights and names alone don't make a teacher.
TEST(Teacher, IsKnownByItsOperatorsToo) {
  const Teacher first = Made(Net("y = LeakyRelu(h) {alpha=0.1}"), 2);
  for (const char* last : {"y = LeakyRelu(h) {alpha=0.5}", "y = Relu(h)", "y = Neg(h)"})
    EXPECT_NE(Made(Net(last), 2).identity(), first.identity()) << last;
  EXPECT_EQ(Made(Net("y = LeakyRelu(h) {alpha=0.1}"), 2).identity(), first.identity());
}

class Answers : public ::testing::Test {
 protected:
  // Answers are saved, with zeros in place of them: who takes them shows it.
  void SaveZeros(const Teacher& teacher) {
    AnswerRows rows = teacher.Remembered(nullptr, kRoom);
    const std::vector<float> zeros(rows.floats);
    for (const float*& answer : rows.answers) answer = zeros.data();
    ASSERT_TRUE(SaveAnswers(path_, {&rows, 1}));
  }
  bool AnswersZero(Teacher teacher) {
    const auto cache = AnswerCache::Load(path_);
    EXPECT_TRUE(cache) << cache.error().message();
    EXPECT_TRUE(cache->Fill({&teacher, 1}));
    const Tensor answer = teacher.Answer({rows_})->at(0);
    return std::all_of(answer.as<float>().begin(), answer.as<float>().end(),
                       [](float x) { return x == 0; });
  }

  const TestFolder folder_;
  const std::string path_ = folder_ / "answers.npz";
  const Tensor rows_ = RowsOf({2, 4});
};

TEST_F(Answers, AreOfOneModelAndOneBatch) {
  Teacher teacher = Made(Net("y = Neg(h)"), 2);
  ASSERT_TRUE(teacher.Answer({rows_}));
  SaveZeros(teacher);
  EXPECT_TRUE(AnswersZero(Made(Net("y = Neg(h)"), 2)));
  EXPECT_FALSE(AnswersZero(Made(Net("y = Neg(h)"), 4)));
  EXPECT_FALSE(AnswersZero(Made(Net("y = Abs(h)"), 2)));
}

// Of sequences of another length there are none yet.
TEST_F(Answers, AreOfSamplesOfOneShape) {
  const auto of_length = [](int64_t length) {
    return Teacher::Make(GraphOf("input x: f32[N,T]\ny = Neg(x)\noutput y\n"), {}, OneThread(),
                         {.batch = 2, .shapes = {{2, length}}, .cache_bytes = kRoom, .inputs = {}})
        .value();
  };
  Teacher four = of_length(4);
  ASSERT_TRUE(four.Answer({rows_}));
  SaveZeros(four);
  EXPECT_TRUE(AnswersZero(of_length(4)));
  Teacher three = of_length(3);
  ASSERT_TRUE(three.Answer({RowsOf({2, 3})}));
  const auto cache = AnswerCache::Load(path_);
  ASSERT_TRUE(cache);
  const Status filled = cache->Fill({&three, 1});
  EXPECT_TRUE(filled) << filled.error().message();
  ASSERT_TRUE(cache->Save({&three, 1}, kRoom));
  EXPECT_EQ(LoadAnswers(path_)->size(), 2u) << "those of the other length stay";
}

TEST_F(Answers, OfOthersAreKept) {
  Teacher first = Made(Net("y = Neg(h)"), 2), second = Made(Net("y = Abs(h)"), 2);
  ASSERT_TRUE(first.Answer({rows_}) && second.Answer({rows_}));
  for (const Teacher* teacher : {&first, &second, &second})
    ASSERT_TRUE(AnswerCache::Load(path_)->Save({teacher, 1}, kRoom));
  const auto saved = LoadAnswers(path_);
  ASSERT_TRUE(saved) << saved.error().message();
  ASSERT_EQ(saved->size(), 2u);
  EXPECT_EQ(saved->at(0).teacher, first.answers_of());
  EXPECT_EQ(saved->at(1).keys.count(), 2);
}

// Where nothing is new the file needs no second one beside it.
TEST_F(Answers, AreWrittenWhereSomethingIsNew) {
  Teacher teacher = Made(Net("y = Neg(h)"), 2);
  ASSERT_TRUE(teacher.Answer({rows_}));
  ASSERT_TRUE(AnswerCache::Load(path_)->Save({&teacher, 1}, kRoom));
  const std::string link = folder_ / "link.npz";  // to the same file, unless that is replaced
  std::filesystem::create_hard_link(path_, link);
  Teacher again = Made(Net("y = Neg(h)"), 2);
  const auto cache = AnswerCache::Load(path_);
  ASSERT_TRUE(cache && cache->Fill({&again, 1}));
  ASSERT_TRUE(again.Answer({rows_}));
  ASSERT_TRUE(cache->Save({&again, 1}, kRoom));
  EXPECT_EQ(std::filesystem::hard_link_count(path_), 2);
  ASSERT_TRUE(again.Answer({RowsOf({2, 4}, 9)}));
  ASSERT_TRUE(cache->Save({&again, 1}, kRoom));
  EXPECT_EQ(std::filesystem::hard_link_count(path_), 1);
  EXPECT_EQ(LoadAnswers(path_)->at(0).keys.count(), 4);
}

// A run that may remember less, or asks for other samples, keeps what was there.
TEST_F(Answers, AreAddedToThoseBefore) {
  Teacher first = Made(Net("y = Neg(h)"), 2);
  ASSERT_TRUE(first.Answer({rows_}));
  ASSERT_TRUE(AnswerCache::Load(path_)->Save({&first, 1}, kRoom));
  Teacher again = Made(Net("y = Neg(h)"), 2, 1);
  const auto cache = AnswerCache::Load(path_);
  ASSERT_TRUE(cache && cache->Fill({&again, 1}));
  ASSERT_TRUE(cache->Save({&again, 1}, kRoom));
  EXPECT_EQ(LoadAnswers(path_)->at(0).keys.count(), 2);
}

// A row of three floats and its key are 20 bytes in the file, and far more in memory.
TEST_F(Answers, FillNoMoreThanTheirRoom) {
  constexpr size_t kRow = 20;
  std::vector<uint64_t> teachers;
  for (const char* last : {"y = Neg(h)", "y = Abs(h)", "y = Relu(h)"}) {
    Teacher teacher = Made(Net(last), 2);
    ASSERT_TRUE(teacher.Answer({rows_}));
    ASSERT_TRUE(AnswerCache::Load(path_)->Save({&teacher, 1}, 5 * kRow));
    teachers.push_back(teacher.answers_of());
  }
  // Three times two rows: those that were saved first made room.
  auto saved = LoadAnswers(path_);
  ASSERT_EQ(saved->size(), 2u);
  EXPECT_EQ(saved->at(0).teacher, teachers[1]);
  EXPECT_EQ(saved->at(1).teacher, teachers[2]);
  // Of one teacher those of this run stay, and as many others as there is room for.
  Teacher same = Made(Net("y = Relu(h)"), 2);
  ASSERT_TRUE(same.Answer({RowsOf({2, 4}, 9)}));
  ASSERT_TRUE(AnswerCache::Load(path_)->Save({&same, 1}, 3 * kRow));
  saved = LoadAnswers(path_);
  ASSERT_EQ(saved->size(), 1u);
  EXPECT_EQ(saved->at(0).keys.count(), 3);

  Teacher small = Made(Net("y = Neg(h)"), 2, 10 * 3 * sizeof(float));
  ASSERT_TRUE(small.Answer({RowsOf({10, 4})}));
  EXPECT_EQ(small.remembered(), 0u);
}

TEST_F(Answers, AreNotReadFromWhatHoldsNone) {
  const Tensor numbers = Tensor::Of<float>({2}, {1, 2});
  ASSERT_TRUE(data::SaveNpz(folder_ / "data.npz", {{"x", numbers}}));
  const Tensor head = Tensor::Of<uint64_t>({1}, {1});
  ASSERT_TRUE(data::SaveNpz(folder_ / "half.npz", {{"pare.answers", head}, {"1f/keys", head}}));
  ASSERT_TRUE(data::SaveNpz(folder_ / "wrong.npz",
                            {{"pare.answers", head}, {"1f/keys", head}, {"1f/answers", numbers}}));
  folder_.Write("text.npz", "no zip");
  for (const char* name : {"data.npz", "half.npz", "wrong.npz", "text.npz"}) {
    const auto cache = AnswerCache::Load(folder_ / name);
    ASSERT_FALSE(cache) << name;
    EXPECT_EQ(cache.error().kind(), ErrorKind::kUsage);
    EXPECT_NE(cache.error().message().find("would overwrite it"), std::string::npos);
  }
  // Names that can't be there are no exceptions.
  EXPECT_TRUE(AnswerCache::Load(folder_ / std::string(300, 'x')));
}

}  // namespace
}  // namespace pare::compress
