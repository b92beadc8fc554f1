#include "compress/distill/teacher.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/hash.h"
#include "compress/score.h"
#include "graph/text.h"
#include "passes/pipeline.h"
#include "train/loss.h"
#include "train/near_layers.h"

namespace pare::compress {
namespace {

using graph::Graph;

// Operators, attributes, weights, and what is asked for. All of it stands in the text, large
// constants by their hash.
uint64_t IdentityOf(const Graph& graph) { return HashOfText(graph::Print(graph)); }

uint64_t AnswersOf(uint64_t identity, const std::vector<Dims>& shapes, const Cpu& cpu,
                   const SharedInputs& inputs) {
  Fnv1a hash;
  hash.Add(static_cast<int64_t>(identity));
  for (const Dims& shape : shapes) {
    hash.Add(std::ssize(shape));
    for (int64_t size : shape) hash.Add(size);
  }
  hash.Add(static_cast<int64_t>(cpu.isas));
  for (size_t place : inputs.places) hash.Add(static_cast<int64_t>(place));
  return hash.value();
}

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
                  train::LayerAdvice(graph, hint));
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
                              const model::Context& context, TeacherOptions options) {
  Graph graph = model;
  Teacher teacher;
  for (const graph::Output& output : model.outputs())
    teacher.softmax_axes_.push_back(train::SoftmaxAxis(model, output.value));
  if (questions.logits) AskForLogits(graph);
  PARE_TRY(AddHints(graph, questions.hints));
  teacher.identity_ = IdentityOf(graph);
  teacher.cache_bytes_ = options.cache_bytes;
  PARE_TRY(passes::Simplify(graph));
  PARE_ASSIGN(teacher.session_, model::MakeSession(graph, context));
  std::vector<Dims> shapes = options.inputs.ShapesOf(graph, options.shapes);
  if (shapes.empty()) {
    PARE_ASSIGN(shapes, model::ShapesForBatch(graph, options.batch));
  }
  PARE_TRY(teacher.Plan(graph, shapes));
  teacher.answers_of_ = AnswersOf(teacher.identity_, shapes, context.cpu, options.inputs);
  teacher.inputs_ = std::move(options.inputs);
  return teacher;
}

Status Teacher::Plan(const Graph& graph, const std::vector<Dims>& shapes) {
  batch_ = shapes.empty() || shapes[0].empty() ? 0 : shapes[0][0];
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (batch_ > 0 && !shapes[i].empty() && shapes[i][0] == batch_) continue;
    return Unsupported(Text("the teacher's input \"", graph.value(graph.inputs()[i]).name, "\" is ",
                            DimsText(shapes[i]), ", not a row a sample"));
  }
  PARE_ASSIGN(const auto plan, session_->PlanFor(shapes));
  for (const graph::TensorType& type : plan->output_types) {
    Dims shape = type.dims();
    if (!IsFloat(type.dtype) || shape.empty() || shape[0] != batch_) {
      return Unsupported(Text("the teacher answers ", DimsText(shape), " of ",
                              DTypeName(type.dtype), " to ", batch_,
                              " samples, not a row of floats each"));
    }
    shape.erase(shape.begin());
    row_floats_ += static_cast<size_t>(CountOfRow(shape));
    types_.push_back(std::move(shape));
  }
  return {};
}

// At most a batch of rows; the batch is filled up with the last of them.
Status Teacher::Compute(const std::vector<Tensor>& inputs, std::span<const int64_t> rows,
                        std::vector<Row>& answers) {
  std::vector<Tensor> asked;
  for (const Tensor& input : inputs) {
    Dims shape = input.shape();
    const size_t bytes = input.bytes() / static_cast<size_t>(shape[0]);
    shape[0] = batch_;
    PARE_ASSIGN(Tensor some, Tensor::Make(input.dtype(), shape));
    for (size_t i = 0; i < static_cast<size_t>(batch_); ++i) {
      const int64_t row = rows[std::min(i, rows.size() - 1)];
      std::memcpy(some.mutable_data() + i * bytes, input.data() + static_cast<size_t>(row) * bytes,
                  bytes);
    }
    asked.push_back(std::move(some));
  }
  PARE_ASSIGN(asked, inputs_.Of(asked));
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
  const int64_t rows = inputs[0].rank() > 0 ? inputs[0].shape()[0] : 0;
  for (const Tensor& input : inputs) {
    if (rows > 0 && input.rank() > 0 && input.shape()[0] == rows) continue;
    return Unsupported("the student's inputs don't hold a row a sample each",
                       "a teacher is asked sample by sample");
  }
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
  for (std::span<const int64_t> rest = missing; !rest.empty();) {
    const size_t count = std::min(rest.size(), static_cast<size_t>(batch_));
    PARE_TRY(Compute(inputs, rest.first(count), answers));
    rest = rest.subspan(count);
  }
  for (int64_t row : missing) {
    if (HasRoom()) cache_.emplace(keys[row], answers[row]);
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

Status Teacher::Remember(const SavedAnswers& saved) {
  if (saved.answers.shape()[1] != static_cast<int64_t>(row_floats_)) {
    return Invalid(
        Text("its answers have ", saved.answers.shape()[1], " values, the teacher's ", row_floats_),
        "the file is damaged: delete it");
  }
  const auto keys = saved.keys.as<uint64_t>();
  const float* answers = saved.answers.as<float>().data();
  for (size_t i = 0; i < keys.size() && HasRoom(); ++i) {
    const float* row = answers + i * row_floats_;
    cache_.emplace(keys[i], std::make_shared<const std::vector<float>>(row, row + row_floats_));
  }
  return {};
}

AnswerRows Teacher::Remembered(const SavedAnswers* before, size_t max_bytes) const {
  const size_t most = max_bytes / (sizeof(uint64_t) + row_floats_ * sizeof(float));
  std::map<uint64_t, const float*> rows;  // in order: the same answers give the same file
  for (const auto& [key, row] : cache_) rows.emplace(key, row->data());
  for (int64_t i = 0; before && i < before->keys.count() && rows.size() < most; ++i) {
    rows.emplace(before->keys.as<uint64_t>()[i],
                 before->answers.as<float>().data() + i * static_cast<int64_t>(row_floats_));
  }
  AnswerRows all{.teacher = answers_of_, .keys = {}, .answers = {}, .floats = row_floats_};
  for (const auto& [key, row] : rows) {
    all.keys.push_back(key);
    all.answers.push_back(row);
  }
  return all;
}

}  // namespace pare::compress
