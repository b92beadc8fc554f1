#include "compress/distill/fit.h"

#include <algorithm>
#include <map>
#include <optional>

#include "graph/text.h"

namespace pare::compress {
namespace {

using graph::Graph;

// Of one sample; nothing where a size is not known.
std::optional<int64_t> ValuesOfSample(const graph::TensorType& type) {
  if (!type.has_rank() || type.rank() == 0) return std::nullopt;
  int64_t count = 1;
  for (size_t axis = 1; axis < type.shape->size(); ++axis) {
    const graph::Dim dim = (*type.shape)[axis];
    if (!dim.known()) return std::nullopt;
    count *= dim.size();
  }
  return count;
}

std::string OutputsText(const Graph& graph) {
  std::string text =
      Text(graph.outputs().size(), graph.outputs().size() == 1 ? " output (" : " outputs (");
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const graph::Output& output = graph.outputs()[i];
    text += Text(i > 0 ? ", " : "", '"', output.name, "\" ",
                 graph::TypeText(graph.value(output.value).type, graph.symbols()));
  }
  return text + ')';
}

// The teacher's outputs of the student's names, in its order; nothing where one is not there.
std::optional<std::vector<graph::Output>> OutputsOfNames(const Graph& student,
                                                         const Graph& teacher) {
  std::vector<graph::Output> outputs;
  for (const graph::Output& own : student.outputs()) {
    const auto at = std::ranges::find(teacher.outputs(), own.name, &graph::Output::name);
    if (at == teacher.outputs().end()) return std::nullopt;
    outputs.push_back(*at);
  }
  return outputs;
}

// As many, and of as many values for a sample as far as both are known.
bool Fit(const Graph& student, const Graph& teacher, std::span<const graph::Output> outputs) {
  return std::ranges::equal(student.outputs(), outputs,
                            [&](const graph::Output& own, const graph::Output& other) {
                              const auto mine = ValuesOfSample(student.value(own.value).type);
                              const auto its = ValuesOfSample(teacher.value(other.value).type);
                              return !mine || !its || *mine == *its;
                            });
}

std::map<std::string, std::string> FieldsOf(const data::Preprocess& preprocess) {
  std::map<std::string, std::string> fields;
  preprocess.WriteTo(fields);
  return fields;
}

// What stands for "as the model's shape has it" says nothing against another model of that shape.
data::Preprocess WithShapesOf(data::Preprocess preprocess, const data::Preprocess& other) {
  if (preprocess.crop_h == 0 && preprocess.crop_w == 0) {
    preprocess.crop_h = other.crop_h;
    preprocess.crop_w = other.crop_w;
  }
  if (preprocess.layout == data::Layout::kAuto) preprocess.layout = other.layout;
  return preprocess;
}

// Files may hold the same number with other digits.
data::Preprocess InFloats(data::Preprocess preprocess) {
  preprocess.scale = static_cast<float>(preprocess.scale);
  for (double& mean : preprocess.mean) mean = static_cast<float>(mean);
  for (double& std : preprocess.std) std = static_cast<float>(std);
  return preprocess;
}

Status CheckSame(const PreparedModel& a, const PreparedModel& b) {
  const data::Preprocess seen_by_a = WithShapesOf(a.preprocess, b.preprocess);
  const data::Preprocess seen_by_b = WithShapesOf(b.preprocess, a.preprocess);
  const auto of_a = FieldsOf(seen_by_a), of_b = FieldsOf(seen_by_b);
  const auto rounded_a = FieldsOf(InFloats(seen_by_a)), rounded_b = FieldsOf(InFloats(seen_by_b));
  for (const auto& [field, text] : of_a) {
    if (rounded_a.at(field) == rounded_b.at(field)) continue;
    return Fail(ErrorKind::kUsage,
                Text("the models were made for different preprocessing: ",
                     field.substr(field.rfind('.') + 1), " is ", text, " in ", a.name, " and ",
                     of_b.at(field), " in ", b.name),
                "all see the same samples: say which holds by the option of that name (--mean, "
                "--std, --scale, …)");
  }
  return {};
}

}  // namespace

Status MatchOutputs(const Graph& student, Graph& teacher) {
  const auto named = OutputsOfNames(student, teacher);
  if (named && Fit(student, teacher, *named)) {
    const std::vector<graph::Output> outputs = *named;
    teacher.ClearOutputs();
    for (const graph::Output& output : outputs)
      teacher.AddOutput(output.value, output.name, output.notes);
    return {};
  }
  if (Fit(student, teacher, teacher.outputs())) return {};
  return Fail(
      ErrorKind::kUsage,
      Text("the teacher has ", OutputsText(teacher), ", the student ", OutputsText(student)),
      "a student answers what its teacher answers: export both with the same outputs");
}

Result<data::Preprocess> SharedPreprocess(std::span<const PreparedModel> models) {
  const PreparedModel* known = nullptr;
  for (const PreparedModel& model : models) {
    if (!data::Preprocess::In(model.graph.metadata)) continue;
    if (known) PARE_TRY(CheckSame(*known, model));
    if (!known) known = &model;
  }
  return known ? known->preprocess : models[0].preprocess;
}

}  // namespace pare::compress
