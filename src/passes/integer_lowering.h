// The lowering of Q/DQ graphs to integer operators (internal to the pass QdqToInteger, but for what
// other passes ask so that they don't stand in its way).
//
// One walk in the order of computation. Of a float value it is remembered which u8 value it stands
// for, with its scale and zero point; where a QuantizeLinear asks for the result of an operator
// whose operands are all such values, the operator is done in integers. Floats are made from u8
// again only where somebody still asks for them.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "passes/function_table.h"
#include "passes/passes.h"

namespace pare::passes {

// real = (integer − zero_point) · scale, of u8.
struct Scale {
  float scale = 0;
  int32_t zero_point = 0;
  friend bool operator==(const Scale&, const Scale&) = default;
};

struct Quantized {
  graph::ValueId u8 = graph::ValueId::kNone;
  Scale scale;
};

// rne(x), for |x| < 2^51.
double RoundEven(double x);
// clamp(rne(x / scale) + zero_point, 0, 255)
int64_t QuantizeU8(double x, const Scale& scale);

// Of the constant operands 1 and 2 of a Q or DQ node for a whole tensor of u8 or i8; in terms of
// u8.
std::optional<Scale> ScaleOf(const graph::Graph& graph, const graph::Node& node, DType dtype);

// Whether a Conv or matrix product can become one of integers: x and the weights are dequantized as
// that asks for. It still depends on its bias, and on how much its sums can hold.
bool MayBeInteger(const graph::Graph& graph, const graph::Node& product);
// Whether `value` can be the bias of such a product with so many channels.
bool MayBeIntegerBias(const graph::Graph& graph, graph::ValueId value, int64_t channels);

class IntegerLowering {
 public:
  explicit IntegerLowering(PassContext& context) : context_(context), graph_(context.graph()) {}
  Status Run();

 private:
  // --- what is known of values
  std::optional<Quantized> QuantizedOf(graph::ValueId value);
  bool OnlyUser(graph::ValueId value) const {
    return graph_.value(value).uses.size() == 1 && !graph_.is_visible(value);
  }

  // --- making nodes
  // Returns the first output. Name and origin are those of `like`.
  Result<graph::ValueId> Add(std::string op, std::vector<graph::ValueId> inputs, graph::Attrs attrs,
                             const graph::Node& like, size_t outputs = 1);
  // `u8` takes over the name and the layout of the value that it holds.
  void TakeName(graph::ValueId u8, graph::ValueId of);
  graph::ValueId Constant(graph::ValueId of, std::string_view what, Tensor data);
  Result<graph::ValueId> AddLut(graph::ValueId u8, const graph::Node& like,
                                const std::function<int64_t(int64_t)>& f);

  // --- the walk (qdq_to_integer.cc)
  Status Visit(graph::NodeId id);
  Status VisitQuantize(graph::NodeId id);
  Status VisitDequantize(graph::NodeId id);
  Result<bool> VisitMove(graph::NodeId id);
  bool UsersUnderstandU8(graph::ValueId i8) const;
  // A node waits while its result may yet be asked for in integers; settling decides that it is
  // not.
  bool Waits(const graph::Node& node) const;
  Status Settle(graph::NodeId id);
  Status TakeFloats(graph::NodeId id);
  Result<graph::ValueId> FloatOf(graph::ValueId value);
  // The u8 form of the float `value`, which only this one Q reads; nullopt where there is none.
  Result<std::optional<graph::ValueId>> Lower(graph::ValueId value, const Scale& to);
  using Lowered = Result<std::optional<graph::ValueId>>;
  Lowered LowerChain(graph::ValueId value, const Scale& to);
  Lowered LowerBinary(const graph::Node& node, const Scale& to);
  Lowered LowerPool(const graph::Node& node, const Scale& to);
  Lowered LowerConcat(const graph::Node& node, const Scale& to);

  // --- products (lower_products.cc)
  struct Product {
    Quantized x;
    graph::ValueId weights = graph::ValueId::kNone, multiplier = graph::ValueId::kNone,
                   bias = graph::ValueId::kNone, weights_zero = graph::ValueId::kNone;
    graph::Attrs attrs;
  };
  // The integer operands of a Conv or matrix product; `y_scale` 1 for a float result.
  std::optional<Product> ProductOf(const graph::Node& node, double y_scale);
  Lowered LowerProduct(const graph::Node& node, const Scale& to);
  // A product with integer operands whose result stays float.
  Result<bool> LowerToFloat(graph::NodeId id);

  PassContext& context_;
  graph::Graph& graph_;
  std::unordered_map<graph::ValueId, Quantized> quantized_;   // of float values
  std::unordered_map<graph::ValueId, graph::ValueId> as_u8_;  // of i8 values
  std::unordered_set<graph::NodeId> waiting_;
  std::unordered_map<graph::ValueId, graph::ValueId> floats_;  // made again
};

}  // namespace pare::passes
