// A model whose answers another one learns: run on each batch, and remembered by the content of
// what was asked.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

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

class Teacher {
 public:
  // Answers are kept in memory up to `cache_bytes`.
  static Result<Teacher> Make(const graph::Graph& model, const Questions& questions,
                              const model::Context& context, size_t cache_bytes);

  // Of the model and what is asked of it: other teachers have another.
  uint64_t identity() const { return identity_; }
  size_t outputs() const { return types_.size(); }
  // Of one answer, without the batch: f32.
  const std::vector<Dims>& shapes() const { return types_; }
  // [rows, …] each, in float32 whatever the model's float type; rows that were asked before are not
  // computed again.
  Result<std::vector<Tensor>> Answer(const std::vector<Tensor>& inputs);

  // The remembered answers in a file that is known by the model and its hints: read where it is
  // there, and written atomically.
  Status LoadCache(const std::string& path);
  Status SaveCache(const std::string& path) const;

 private:
  using Row = std::shared_ptr<const std::vector<float>>;  // all outputs, one after the other

  Status Compute(const std::vector<Tensor>& inputs, const std::vector<int64_t>& rows,
                 std::vector<Row>& answers);

  std::unique_ptr<runtime::Session> session_;
  std::vector<Dims> types_;
  size_t row_floats_ = 0, cache_bytes_ = 0;
  uint64_t identity_ = 0;
  std::unordered_map<uint64_t, Row> cache_;  // by the hash of a row's inputs
};

}  // namespace pare::compress
