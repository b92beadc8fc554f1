// Makes small ONNX models for tests, with protozero's writer: another hand than the one under test.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "onnx/wire.h"

namespace pare::onnx::test {

using Words = std::vector<std::string>;
using Ints = std::vector<int64_t>;

inline std::string Tensor(const std::string& name, int type, const Ints& dims,
                          const std::string& raw) {
  std::string out;
  protozero::pbf_writer w(out);
  for (int64_t dim : dims) w.add_int64(1, dim);
  w.add_int32(2, type);
  w.add_string(8, name);
  w.add_bytes(9, raw);
  return out;
}
template <typename T>
std::string Raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
inline std::string Floats(const std::string& name, const Ints& dims, std::vector<float> values) {
  return Tensor(name, 1, dims, Raw(values));
}
inline std::string Int64s(const std::string& name, const Ints& values) {
  return Tensor(name, 7, {static_cast<int64_t>(values.size())}, Raw(values));
}

// Attributes
inline std::string Attr(const std::string& name, int type, auto&& write) {
  std::string out;
  protozero::pbf_writer w(out);
  w.add_string(1, name);
  write(w);
  w.add_int32(20, type);
  return out;
}
inline std::string A(const std::string& name, float f) {
  return Attr(name, 1, [&](auto& w) { w.add_float(2, f); });
}
inline std::string A(const std::string& name, int i) {
  return Attr(name, 2, [&](auto& w) { w.add_int64(3, i); });
}
inline std::string A(const std::string& name, const char* s) {
  return Attr(name, 3, [&](auto& w) { w.add_string(4, s); });
}
inline std::string A(const std::string& name, const Ints& ints) {
  return Attr(name, 7, [&](auto& w) {
    for (int64_t i : ints) w.add_int64(8, i);
  });
}
inline std::string AFloats(const std::string& name, const std::vector<float>& floats) {
  return Attr(name, 6, [&](auto& w) {
    for (float f : floats) w.add_float(7, f);
  });
}
inline std::string ATensor(const std::string& name, const std::string& tensor) {
  return Attr(name, 4, [&](auto& w) { w.add_message(5, tensor); });
}
inline std::string AGraph(const std::string& name, const std::string& graph) {
  return Attr(name, 5, [&](auto& w) { w.add_message(6, graph); });
}

inline std::string Node(const std::string& op, const Words& inputs, const Words& outputs,
                        const Words& attributes = {}, const std::string& name = "",
                        const std::string& domain = "") {
  std::string out;
  protozero::pbf_writer w(out);
  for (const auto& input : inputs) w.add_string(1, input);
  for (const auto& output : outputs) w.add_string(2, output);
  if (!name.empty()) w.add_string(3, name);
  w.add_string(4, op);
  for (const auto& attribute : attributes) w.add_message(5, attribute);
  if (!domain.empty()) w.add_string(7, domain);
  return out;
}

// Dimensions: numbers, or names of symbols.
inline std::string Value(const std::string& name, int type, const Words& dims) {
  std::string shape;
  protozero::pbf_writer shape_writer(shape);
  for (const std::string& dim : dims) {
    std::string item;  // may be empty, which a nested writer would leave out
    protozero::pbf_writer d(item);
    const bool number = dim.find_first_not_of("-0123456789") == dim.npos && !dim.empty();
    if (number) {
      d.add_int64(1, std::stoll(dim));
    } else if (!dim.empty()) {
      d.add_string(2, dim);
    }
    shape_writer.add_message(1, item);
  }
  std::string out;
  protozero::pbf_writer w(out);
  w.add_string(1, name);
  protozero::pbf_writer type_writer(w, 2);
  protozero::pbf_writer tensor(type_writer, 1);
  tensor.add_int32(1, type);
  tensor.add_message(2, shape);
  return out;
}

struct Model {
  int64_t ir = 8;
  int64_t opset = 13;
  Words nodes = {}, initializers = {}, inputs = {}, outputs = {}, values = {};
  std::string domain = {};       // of the opset
  std::string extra = {};        // further fields of ModelProto
  std::string graph_extra = {};  // and of GraphProto

  std::string Graph() const {
    std::string graph;
    protozero::pbf_writer g(graph);
    for (const auto& node : nodes) g.add_message(1, node);
    g.add_string(2, "g");
    for (const auto& tensor : initializers) g.add_message(5, tensor);
    for (const auto& input : inputs) g.add_message(11, input);
    for (const auto& output : outputs) g.add_message(12, output);
    for (const auto& value : values) g.add_message(13, value);
    return graph + graph_extra;
  }
  std::string Bytes() const {
    std::string out;
    protozero::pbf_writer w(out);
    w.add_int64(1, ir);
    w.add_message(7, Graph());
    {
      protozero::pbf_writer o(w, 8);
      o.add_string(1, domain);
      o.add_int64(2, opset);
    }
    return out + extra;
  }
};

// x → op → y, of f32[2,3,4] unless said otherwise.
inline Model OneNode(int64_t opset, const std::string& node, const Words& initializers = {}) {
  Model model{.opset = opset};
  model.nodes = {node};
  model.initializers = initializers;
  model.inputs = {Value("x", 1, {"2", "3", "4"})};
  model.outputs = {Value("y", 1, {"2", "3", "4"})};
  return model;
}

}  // namespace pare::onnx::test
