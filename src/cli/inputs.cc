#include "cli/inputs.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/random.h"
#include "cli/text.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "platform/file.h"

namespace pare::cli {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Value;

std::string Quoted(std::string_view name) { return Text('"', Printable(name), '"'); }

std::string InputNames(const Graph& graph) {
  std::string names;
  for (graph::ValueId id : graph.inputs())
    names += Text(names.empty() ? "" : ", ", Quoted(graph.value(id).name));
  return names;
}

std::optional<size_t> FindInput(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    if (graph.value(graph.inputs()[i]).name == name) return i;
  }
  return std::nullopt;
}

std::optional<Dims> ParseDims(std::string_view text) {
  Dims dims;
  while (true) {
    const size_t end = text.find('x');
    const std::string_view part = text.substr(0, end);
    int64_t size = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), size);
    if (error != std::errc() || stop != part.data() + part.size() || size < 0) return std::nullopt;
    dims.push_back(size);
    if (end == std::string_view::npos) return dims;
    text.remove_prefix(end + 1);
  }
}

// What is known of the inputs' sizes, while --shape texts are read.
class ShapeResolver {
 public:
  explicit ShapeResolver(const Graph& graph)
      : graph_(graph), shapes_(graph.inputs().size()), symbols_(graph.symbols().size()) {}

  Status Take(std::string_view text) {
    const size_t equals = text.rfind('=');
    const std::string_view name = equals == text.npos ? "" : text.substr(0, equals);
    const auto dims = ParseDims(equals == text.npos ? text : text.substr(equals + 1));
    if (!dims) {
      return Fail(ErrorKind::kUsage,
                  Text("--shape ", Printable(text), ": sizes are whole numbers with x between"),
                  "e.g. --shape x=1x3x224x224");
    }
    std::optional<size_t> input = FindInput(graph_, name);
    if (name.empty() && graph_.inputs().size() == 1) input = 0;
    if (input) return SetInput(*input, *dims);
    const auto symbol = std::find(graph_.symbols().begin(), graph_.symbols().end(), name);
    if (symbol != graph_.symbols().end() && dims->size() == 1) {
      return Bind(Dim::Symbol(static_cast<int>(symbol - graph_.symbols().begin())), (*dims)[0]);
    }
    return Fail(
        ErrorKind::kUsage,
        Text("--shape ", Printable(text), ": the model has no input or symbol of that name"),
        Text("its inputs are ", InputNames(graph_)));
  }

  Result<std::vector<Dims>> Finish(int64_t batch) {
    std::vector<Dims> resolved;
    for (size_t i = 0; i < shapes_.size(); ++i) {
      const Value& value = graph_.value(graph_.inputs()[i]);
      if (shapes_[i]) {
        resolved.push_back(*shapes_[i]);
        continue;
      }
      if (!value.type.shape) {
        return Fail(ErrorKind::kUsage,
                    Text("the input ", Quoted(value.name), " has no shape in the file"),
                    Text("e.g. --shape ", ShellWord(Text(Printable(value.name), "=1x3x224x224"))));
      }
      Dims dims;
      for (size_t axis = 0; axis < value.type.shape->size(); ++axis) {
        const Dim dim = (*value.type.shape)[axis];
        const std::optional<int64_t> bound =
            dim.is_symbol() ? symbols_[dim.symbol()] : std::nullopt;
        if (!dim.known() && !bound && axis > 0) return Free(value, axis);
        dims.push_back(dim.known() ? dim.size() : bound.value_or(batch));
      }
      resolved.push_back(std::move(dims));
    }
    return resolved;
  }

 private:
  Status SetInput(size_t input, const Dims& dims) {
    const Value& value = graph_.value(graph_.inputs()[input]);
    if (value.type.shape) {
      const graph::Shape& shape = *value.type.shape;
      bool fits = shape.size() == dims.size();
      for (size_t axis = 0; fits && axis < dims.size(); ++axis) {
        fits = !shape[axis].known() || shape[axis].size() == dims[axis];
        if (fits && shape[axis].is_symbol()) PARE_TRY(Bind(shape[axis], dims[axis]));
      }
      if (!fits) {
        return Fail(ErrorKind::kUsage, Text("--shape: the input ", Quoted(value.name), " is ",
                                            graph::TypeText(value.type, graph_.symbols()), ", and ",
                                            DimsText(dims), " does not fit that"));
      }
    }
    shapes_[input] = dims;
    return {};
  }

  Status Bind(Dim symbol, int64_t size) {
    std::optional<int64_t>& bound = symbols_[symbol.symbol()];
    if (bound && *bound != size) {
      return Fail(ErrorKind::kUsage, Text("--shape: ", Quoted(graph_.symbols()[symbol.symbol()]),
                                          " would be ", *bound, " and ", size));
    }
    bound = size;
    return {};
  }

  tl::unexpected<Error> Free(const Value& value, size_t axis) const {
    std::string example;
    for (const Dim dim : *value.type.shape) {
      example += Text(example.empty() ? "" : "x", dim.known()       ? dim.size()
                                                  : example.empty() ? 1
                                                                    : 128);
    }
    return Fail(
        ErrorKind::kUsage,
        Text("dimension ", axis, " of the input ", Quoted(value.name), " (",
             graph::TypeText(value.type, graph_.symbols()), ") is free: its size must be given"),
        Text("e.g. --shape ", ShellWord(Text(Printable(value.name), '=', example))));
  }

  const Graph& graph_;
  std::vector<std::optional<Dims>> shapes_;
  std::vector<std::optional<int64_t>> symbols_;
};

Result<Tensor> MakeInput(const Value& value, const Dims& shape, Random& random) {
  const DType dtype = value.type.dtype;
  if (IsFloat(dtype)) {
    PARE_ASSIGN(Tensor floats, Tensor::Make(DType::kF32, shape));
    for (float& x : floats.mutable_as<float>()) x = 2 * random.Uniform() - 1;
    return dtype == DType::kF32 ? Result<Tensor>(floats) : Cast(floats, dtype);
  }
  if (SizeOf(dtype) == 0) {
    return Unsupported(
        Text("the element type of the input ", Quoted(value.name), " is not known to pare"));
  }
  PARE_ASSIGN(Tensor tensor, Tensor::Zeros(dtype, shape));
  if (dtype == DType::kU8 || dtype == DType::kI8) {
    std::generate_n(tensor.mutable_data(), tensor.bytes(),
                    [&] { return static_cast<std::byte>(random.Next() >> 56); });
  } else if (value.name.find("mask") != std::string::npos || dtype == DType::kBool) {
    PARE_ASSIGN(Tensor ones, Tensor::Make(DType::kU8, shape));
    std::fill_n(ones.mutable_data(), ones.bytes(), std::byte{1});
    return Cast(ones, dtype);
  }
  return tensor;
}

// "[NAME=]path": names may hold '=' themselves, so that the model's names decide.
struct InputFile {
  std::optional<size_t> input;
  std::string path;
};
Result<InputFile> SplitInput(const Graph& graph, const std::string& text) {
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const std::string prefix = graph.value(graph.inputs()[i]).name + "=";
    if (text.starts_with(prefix)) return InputFile{i, text.substr(prefix.size())};
  }
  const size_t equals = text.find('=');
  if (equals == std::string::npos || FileExists(text)) return InputFile{std::nullopt, text};
  return Fail(ErrorKind::kUsage, Text("the model has no input ", Quoted(text.substr(0, equals))),
              Text("its inputs are ", InputNames(graph)));
}

Result<Tensor> Fit(const Graph& graph, const Value& value, Tensor tensor, CastInputs cast) {
  if (tensor.dtype() != value.type.dtype && cast == CastInputs::kYes) {
    PARE_ASSIGN(tensor, Cast(tensor, value.type.dtype));
  }
  const auto wrong = [&](std::string advice) {
    return Fail(
        ErrorKind::kUsage,
        Text("the input ", Quoted(value.name), " is ", graph::TypeText(value.type, graph.symbols()),
             ", and the file holds ", graph::TypeText(graph::TypeOf(tensor), {})),
        std::move(advice));
  };
  if (tensor.dtype() != value.type.dtype) {
    return wrong(
        Text("--cast converts ", DTypeName(tensor.dtype()), " to ", DTypeName(value.type.dtype)));
  }
  if (!value.type.shape) return tensor;
  const graph::Shape& shape = *value.type.shape;
  if (shape.size() == static_cast<size_t>(tensor.rank()) + 1) {
    return wrong("the batch dimension seems to be missing: x[numpy.newaxis] adds it");
  }
  bool fits = shape.size() == static_cast<size_t>(tensor.rank());
  for (size_t axis = 0; fits && axis < shape.size(); ++axis) {
    fits = !shape[axis].known() || shape[axis].size() == tensor.shape()[axis];
  }
  if (!fits) return wrong("`pare inspect` lists what the inputs must be");
  return tensor;
}

}  // namespace

void DeclareShapes(Parser& parser, std::vector<std::string>& shapes) {
  parser.Option("--shape", "NAME=1x128", shapes,
                "sizes of an input with free dimensions (repeatable)");
}

Result<std::vector<Dims>> ResolveShapes(const Graph& graph, const std::vector<std::string>& given,
                                        int64_t batch) {
  ShapeResolver resolver(graph);
  for (const std::string& text : given) PARE_TRY(resolver.Take(text));
  return resolver.Finish(batch);
}

Result<std::vector<Tensor>> MakeInputs(const Graph& graph, const std::vector<Dims>& shapes,
                                       uint64_t seed) {
  std::vector<Tensor> inputs;
  Random random(seed);
  for (size_t i = 0; i < shapes.size(); ++i) {
    auto input = MakeInput(graph.value(graph.inputs()[i]), shapes[i], random);
    if (!input && input.error().kind() == ErrorKind::kMemory)
      return Fail(
          input.error().advise("a smaller --batch, or smaller sizes in --shape, need less"));
    PARE_ASSIGN(inputs.emplace_back(), std::move(input));
  }
  return inputs;
}

std::vector<std::string> InputPaths(const std::string& given) {
  std::vector<std::string> paths = {given};
  for (size_t at = given.find('='); at != std::string::npos; at = given.find('=', at + 1))
    paths.push_back(given.substr(at + 1));
  return paths;
}

namespace {

// Which input each array of a file is for; nothing for one that no input asks for.
Result<std::vector<std::optional<size_t>>> Assign(const Graph& graph, const InputFile& file,
                                                  const data::NamedTensors& arrays) {
  std::vector<std::optional<size_t>> inputs;
  for (const auto& [name, array] : arrays)
    inputs.push_back(file.input && arrays.size() == 1 ? file.input : FindInput(graph, name));
  const bool any = std::any_of(inputs.begin(), inputs.end(),
                               [](const auto& input) { return input.has_value(); });
  if (any) return inputs;
  // One input and one array that is no label need no names.
  std::vector<size_t> samples;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (!data::IsLabelName(arrays[i].first) || arrays.size() == 1) samples.push_back(i);
  }
  if (samples.size() == 1 && (file.input || graph.inputs().size() == 1)) {
    inputs[samples[0]] = file.input.value_or(0);
    return inputs;
  }
  const std::string& name = arrays.empty() ? file.path : arrays[0].first;
  return Fail(
      Error(ErrorKind::kUsage,
            arrays.empty() ? "holds no arrays"
            : name.empty() ? "which input is it for?"
                           : Text("the model has no input ", Quoted(name)),
            Text("the model's inputs are ", InputNames(graph), ": --input NAME=", file.path))
          .at(file.path));
}

void NoteIgnored(const std::vector<std::optional<size_t>>& inputs, const data::NamedTensors& arrays,
                 const std::string& path, Progress& progress) {
  std::string ignored;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (!inputs[i]) ignored += Text(ignored.empty() ? "" : ", ", Quoted(arrays[i].first));
  }
  if (!ignored.empty())
    progress.Note(Text(path, ": no input takes the arrays ", ignored, ": left out"));
}

}  // namespace

Result<std::vector<Tensor>> ReadInputs(const Graph& graph, const std::vector<std::string>& given,
                                       CastInputs cast, Progress& progress) {
  std::vector<Tensor> inputs(graph.inputs().size());
  const auto put = [&](size_t input, Tensor tensor, const std::string& path) -> Status {
    const Value& value = graph.value(graph.inputs()[input]);
    if (inputs[input])
      return Fail(ErrorKind::kUsage, Text("the input ", Quoted(value.name), " is given twice"),
                  "leave one of the two out");
    auto fitted = Fit(graph, value, std::move(tensor), cast);
    if (!fitted) return Fail(fitted.error().at(path));
    inputs[input] = std::move(*fitted);
    return {};
  };
  for (const std::string& text : given) {
    PARE_ASSIGN(const InputFile file, SplitInput(graph, text));
    data::NamedTensors arrays;
    if (file.path.ends_with(".npz")) {
      PARE_ASSIGN(arrays, data::LoadNpz(file.path));
    } else {
      PARE_ASSIGN(Tensor array, data::LoadNpy(file.path));
      arrays.emplace_back("", std::move(array));
    }
    PARE_ASSIGN(const auto targets, Assign(graph, file, arrays));
    NoteIgnored(targets, arrays, file.path, progress);
    for (size_t i = 0; i < arrays.size(); ++i) {
      if (targets[i]) PARE_TRY(put(*targets[i], std::move(arrays[i].second), file.path));
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i]) continue;
    const Value& value = graph.value(graph.inputs()[i]);
    return Fail(ErrorKind::kUsage,
                Text("nothing is given for the input ", Quoted(value.name), " (",
                     graph::TypeText(value.type, graph.symbols()), ")"),
                Text("--input ", inputs.size() > 1 ? Printable(value.name) + "=" : "", "x.npy"));
  }
  return inputs;
}

}  // namespace pare::cli
