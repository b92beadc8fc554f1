#include "compress/distill/teacher.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "compress/score.h"
#include "compress/widen.h"
#include "data/npy.h"
#include "graph/text.h"
#include "passes/pipeline.h"
#include "train/loss.h"

namespace pare::compress {
namespace {

using graph::Graph;

// What the answers depend on: operators, attributes, weights, and what is asked for. All of it
// stands in the text, large constants by their hash.
uint64_t IdentityOf(const Graph& graph) { return HashOfText(graph::Print(graph)); }

void AskForLogits(Graph& graph) {
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const graph::ValueId output = graph.outputs()[i].value;
    graph.SetOutputValue(static_cast<int>(i), train::LogitsOf(graph, output));
  }
}

Status AddHints(Graph& graph, const std::vector<std::string>& hints) {
  for (const std::string& hint : hints) {
    const graph::ValueId id = graph.FindValue(hint);
    if (id == graph::ValueId::kNone) {
      return Fail(ErrorKind::kUsage, Text("the teacher has no layer \"", hint, "\""),
                  "`pare profile` lists the layers by name");
    }
    graph.AddOutput(id, graph.is_output(id) ? Text("hint ", hint) : hint);
  }
  return {};
}

uint64_t HashOfRow(const std::vector<Tensor>& inputs, int64_t row) {
  WordHash hash;
  for (const Tensor& input : inputs) {
    const size_t bytes = input.bytes() / static_cast<size_t>(input.shape()[0]);
    hash.Add(std::as_bytes(std::span(input.shape()).subspan(1)));
    hash.Add({input.data() + static_cast<size_t>(row) * bytes, bytes});
  }
  return hash.value();
}

int64_t CountOfRow(const Dims& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) count *= dim;
  return count;
}

}  // namespace

Result<Teacher> Teacher::Make(const Graph& model, const Questions& questions,
                              const model::Context& context, size_t cache_bytes) {
  Graph graph = model;
  if (questions.logits) AskForLogits(graph);
  PARE_TRY(AddHints(graph, questions.hints));
  Teacher teacher;
  teacher.identity_ = IdentityOf(graph);
  teacher.cache_bytes_ = cache_bytes;
  PARE_TRY(passes::Simplify(graph));
  PARE_ASSIGN(teacher.session_, model::MakeSession(graph, context));
  PARE_ASSIGN(const auto shapes, model::ShapesForBatch(graph, 1));
  PARE_ASSIGN(const auto plan, teacher.session_->PlanFor(shapes));
  for (const graph::TensorType& type : plan->output_types) {
    Dims shape = type.dims();
    if (!IsFloat(type.dtype) || shape.empty() || shape[0] != 1) {
      return Unsupported(Text("the teacher answers ", DimsText(shape), " of ",
                              DTypeName(type.dtype), ", not a row of floats a sample"));
    }
    shape.erase(shape.begin());
    teacher.row_floats_ += static_cast<size_t>(CountOfRow(shape));
    teacher.types_.push_back(std::move(shape));
  }
  return teacher;
}

Status Teacher::Compute(const std::vector<Tensor>& inputs, const std::vector<int64_t>& rows,
                        std::vector<Row>& answers) {
  std::vector<Tensor> asked;
  for (const Tensor& input : inputs) {
    Dims shape = input.shape();
    const size_t bytes = input.bytes() / static_cast<size_t>(shape[0]);
    shape[0] = std::ssize(rows);
    PARE_ASSIGN(Tensor some, Tensor::Make(input.dtype(), shape));
    for (size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(some.mutable_data() + i * bytes,
                  input.data() + static_cast<size_t>(rows[i]) * bytes, bytes);
    }
    asked.push_back(std::move(some));
  }
  PARE_TRY(CastFloats(session_->graph(), asked));
  std::vector<Tensor> outputs(types_.size());
  PARE_TRY(session_->Run(asked, outputs));
  PARE_TRY(ToF32(outputs));
  for (size_t i = 0; i < rows.size(); ++i) {
    auto row = std::make_shared<std::vector<float>>();
    row->reserve(row_floats_);
    for (size_t o = 0; o < outputs.size(); ++o) {
      const int64_t count = CountOfRow(types_[o]);
      const float* from = outputs[o].as<float>().data() + static_cast<int64_t>(i) * count;
      row->insert(row->end(), from, from + count);
    }
    answers[rows[i]] = std::move(row);
  }
  return {};
}

Result<std::vector<Tensor>> Teacher::Answer(const std::vector<Tensor>& inputs) {
  const int64_t rows = inputs[0].shape()[0];
  std::vector<Row> answers(rows);
  std::vector<uint64_t> keys(cache_bytes_ > 0 ? rows : 0);
  std::vector<int64_t> missing;
  for (int64_t row = 0; row < rows; ++row) {
    if (cache_bytes_ > 0) {
      keys[row] = HashOfRow(inputs, row);
      if (const auto at = cache_.find(keys[row]); at != cache_.end()) answers[row] = at->second;
    }
    if (!answers[row]) missing.push_back(row);
  }
  if (!missing.empty()) PARE_TRY(Compute(inputs, missing, answers));
  for (int64_t row : missing) {
    if ((cache_.size() + 1) * row_floats_ * sizeof(float) <= cache_bytes_)
      cache_.emplace(keys[row], answers[row]);
  }
  std::vector<Tensor> result;
  int64_t offset = 0;
  for (const Dims& type : types_) {
    Dims shape = type;
    shape.insert(shape.begin(), rows);
    PARE_ASSIGN(Tensor all, Tensor::Make(DType::kF32, shape));
    const int64_t count = CountOfRow(type);
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(answers[row]->data() + offset, count,
                  all.mutable_as<float>().data() + row * count);
    offset += count;
    result.push_back(std::move(all));
  }
  return result;
}

Status Teacher::SaveCache(const std::string& path) const {
  const auto rows = static_cast<int64_t>(cache_.size());
  std::vector<uint64_t> keys;
  for (const auto& [key, row] : cache_) keys.push_back(key);
  std::sort(keys.begin(), keys.end());  // the same answers give the same file
  PARE_ASSIGN(Tensor answers, Tensor::Make(DType::kF32, {rows, static_cast<int64_t>(row_floats_)}));
  for (int64_t i = 0; i < rows; ++i) {
    const Row& row = cache_.at(keys[i]);
    std::copy(row->begin(), row->end(),
              answers.mutable_as<float>().data() + i * static_cast<int64_t>(row_floats_));
  }
  return data::SaveNpz(path, {{"model", Tensor::Of<uint64_t>({1}, {identity_})},
                              {"keys", Tensor::Of<uint64_t>({rows}, keys)},
                              {"answers", answers}});
}

Status Teacher::LoadCache(const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  PARE_ASSIGN(const data::NamedTensors arrays, data::LoadNpz(path));
  const bool fits =
      arrays.size() == 3 && arrays[0].second.dtype() == DType::kU64 &&
      arrays[0].second.count() == 1 && arrays[1].second.dtype() == DType::kU64 &&
      arrays[2].second.dtype() == DType::kF32 &&
      arrays[2].second.shape() == Dims{arrays[1].second.count(), static_cast<int64_t>(row_floats_)};
  // Another teacher's answers are no error: they will be replaced.
  if (!fits || arrays[0].second.as<uint64_t>()[0] != identity_) return {};
  const auto keys = arrays[1].second.as<uint64_t>();
  const float* answers = arrays[2].second.as<float>().data();
  for (size_t i = 0; i < keys.size(); ++i) {
    if ((cache_.size() + 1) * row_floats_ * sizeof(float) > cache_bytes_) break;
    const float* row = answers + i * row_floats_;
    cache_.emplace(keys[i], std::make_shared<const std::vector<float>>(row, row + row_floats_));
  }
  return {};
}

}  // namespace pare::compress
