// A model whose answers another one learns: run on each batch, and remembered by the content of
// what was asked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compress/distill/answers.h"
#include "compress/inputs.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

// What is asked of a teacher.
struct Questions {
  // Values inside of the model that are answered, too, behind its outputs.
  std::vector<std::string> hints;
  // In place of an output that a Softmax makes, what the Softmax was made from.
  bool logits = false;
};

struct TeacherOptions {
  // Rows of each of its runs: kernels are chosen by the size of the work, so that a row has the
  // same answer, to the bit, only in batches of one size. A model of fixed batch has its own.
  int64_t batch = 1;
  // Of the student's inputs at such a batch; empty where the model leaves nothing but that free.
  std::vector<Dims> shapes{};
  size_t cache_bytes = 0;  // of answers that are kept in memory, all they take counted
  SharedInputs inputs;     // how it takes what the student takes
};

class Teacher {
 public:
  static Result<Teacher> Make(const graph::Graph& model, const Questions& questions,
                              const model::Context& context, TeacherOptions options);

  // Of the model and what is asked of it: other teachers have another.
  uint64_t identity() const { return identity_; }
  // Of all that an answer's bits depend on beside the question: the shapes of a batch and
  // instruction sets, too.
  uint64_t answers_of() const { return answers_of_; }
  // Of the model, without the hints behind them.
  size_t outputs() const { return softmax_axes_.size(); }
  // Of one answer, without the batch: f32.
  const std::vector<Dims>& shapes() const { return types_; }
  // Of each of the model's outputs: the axis, the batch counted, of the Softmax that makes it.
  const std::vector<std::optional<int>>& softmax_axes() const { return softmax_axes_; }
  // [rows, …] each, in float32 whatever the model's float type, to inputs as the student takes
  // them. A row's answer doesn't depend on the rows beside it; rows that were asked before are not
  // computed again.
  Result<std::vector<Tensor>> Answer(const std::vector<Tensor>& inputs);

  size_t remembered() const { return cache_.size(); }  // answers
  // Takes answers of this teacher as if they had been asked for, as far as memory is allowed.
  Status Remember(const SavedAnswers& saved);
  // All that is remembered, and of what `before` holds beside as much as makes `max_bytes`. Valid
  // as long as both are.
  AnswerRows Remembered(const SavedAnswers* before, size_t max_bytes) const;

 private:
  using Row = std::shared_ptr<const std::vector<float>>;  // all outputs, one after the other

  Status Plan(const graph::Graph& graph, const std::vector<Dims>& shapes);
  Status Compute(const std::vector<Tensor>& inputs, std::span<const int64_t> rows,
                 std::vector<Row>& answers);
  // Of a row in memory, beside its numbers: a node and a bucket of the map, the counted pointer,
  // two blocks of the heap.
  static constexpr size_t kRowOverhead = 128;
  bool HasRoom() const {
    return (cache_.size() + 1) * (row_floats_ * sizeof(float) + kRowOverhead) <= cache_bytes_;
  }

  std::unique_ptr<runtime::Session> session_;
  SharedInputs inputs_;
  int64_t batch_ = 1;
  std::vector<Dims> types_;
  std::vector<std::optional<int>> softmax_axes_;
  size_t row_floats_ = 0, cache_bytes_ = 0;
  uint64_t identity_ = 0, answers_of_ = 0;
  std::unordered_map<uint64_t, Row> cache_;  // by the hash of a row's inputs
};

}  // namespace pare::compress
