#include "ops/prepare.h"

#include <algorithm>

#include "base/hash.h"
#include "ops/op_def.h"

namespace pare::ops {

void Fault::Raise(const char* reason, int64_t value) noexcept {
  const char* none = nullptr;
  if (reason_.compare_exchange_strong(none, reason)) value_ = value;
}

bool Fault::raised() const noexcept { return reason_.load() != nullptr; }

std::string Fault::message() const { return Text(reason_.load(), " (", value_.load(), ")"); }

// What an entry of the cache owns.
struct PackCache::Packed {
  Tensor memory;
  std::vector<std::shared_ptr<const void>> sources;
  std::shared_ptr<Index> index;
  std::string key;

  ~Packed() {
    const std::lock_guard lock(index->mutex);
    index->bytes -= memory.bytes();
    // Another may have been made since nobody held this one.
    const auto at = index->entries.find(key);
    if (at != index->entries.end() && at->second.expired()) index->entries.erase(at);
  }
};

uint64_t PackCache::NameOf(const Tensor& constant) const {
  if (identity_ == Identity::kAddress) return reinterpret_cast<uintptr_t>(constant.data());
  WordHash hash;
  const size_t bytes = constant.bytes();  // zeros of any length would be alike
  hash.Add(std::as_bytes(std::span(&bytes, 1)));
  hash.Add({constant.data(), bytes});
  return hash.value();
}

Result<std::shared_ptr<const std::byte>> PackCache::Get(
    const std::string& key, size_t bytes, std::vector<std::shared_ptr<const void>> sources,
    Fill fill) {
  const std::lock_guard lock(index_->mutex);
  const auto known = index_->entries.find(key);
  if (known != index_->entries.end()) {
    if (auto held = known->second.lock()) return held;
  }
  PARE_ASSIGN(Tensor memory, Tensor::Make(DType::kU8, {static_cast<int64_t>(bytes)}));
  if (filling_ == Filling::kNow) fill(memory.mutable_data());
  std::weak_ptr<const std::byte>& slot = index_->entries[key];
  // Made in place, and last of what may fail: its end takes the lock, too.
  const auto packed = std::make_shared<Packed>(memory, std::move(sources), index_, key);
  index_->bytes += memory.bytes();
  std::shared_ptr<const std::byte> entry(packed, memory.data());
  slot = entry;
  return entry;
}

size_t PackCache::bytes() const {
  const std::lock_guard lock(index_->mutex);
  return index_->bytes;
}

size_t PackCache::entries() const {
  const std::lock_guard lock(index_->mutex);
  return index_->entries.size();
}

Result<const std::byte*> PrepareContext::Pack(std::initializer_list<int> operands,
                                              std::string_view format, size_t bytes,
                                              PackCache::Fill fill) {
  std::string key(format);
  std::vector<std::shared_ptr<const void>> sources;
  for (int operand : operands) {
    const Tensor* tensor = constant(operand);
    key += Text(" ", tensor ? packs_.NameOf(*tensor) : 0);
    if (tensor) sources.push_back(tensor->owner());
  }
  PARE_ASSIGN(auto packed, packs_.Get(key, bytes, std::move(sources), fill));
  prepared_.keep.push_back(packed);
  return packed.get();
}

int PrepareContext::Temp(size_t bytes) {
  prepared_.temp_bytes.push_back(bytes);
  return static_cast<int>(prepared_.temp_bytes.size()) - 1;
}

namespace {

// Sizes that fit into memory leave room for arithmetic with them.
Status CheckSize(const graph::TensorType& type) {
  PARE_ASSIGN(const int64_t count, CountOf(type.dims()));
  if (count >= int64_t{1} << 56) {
    return Unsupported(Text("a tensor of shape ", DimsText(type.dims()), " is too large"));
  }
  return {};
}

std::string InputsText(const NodeView& view) {
  std::string text;
  for (int i = 0; i < view.inputs(); ++i) {
    if (view.has_input(i)) text += Text(text.empty() ? "" : ", ", DimsText(view.input(i).dims()));
  }
  return text;
}

Status CheckTypes(const NodeView& view) {
  for (int i = 0; i < view.inputs(); ++i) {
    if (!view.has_input(i)) continue;
    if (view.input(i).dtype == DType::kNone || !view.input(i).is_static()) {
      return Unsupported(Text("the shape of its input \"", view.input_value(i).name,
                              "\" depends on the data, and pare plans a run before it starts"));
    }
    PARE_TRY(CheckSize(view.input(i)));
  }
  for (int i = 0; i < view.outputs(); ++i) {
    if (!view.has_output(i)) continue;
    if (view.output(i).dtype == DType::kNone || !view.output(i).is_static()) {
      return Unsupported(
          Text("the shape of its output can't be told from its inputs ", InputsText(view),
               ": it depends on the data, where pare plans a run before it starts, or these sizes "
               "don't fit"));
    }
    PARE_TRY(CheckSize(view.output(i)));
  }
  return {};
}

// ONNX gives the operands of most operators one type T; files from outside need not. Operands that
// compute together (by their quantization roles), and floats unless the record says otherwise, must
// agree.
Status CheckOperandTypes(const NodeView& view, const OpDef& op) {
  DType float_type = DType::kNone;
  for (int i = 0; i < view.inputs(); ++i) {
    if (!view.has_input(i)) continue;
    const DType type = view.input(i).dtype;
    const Role role = i < kMaxSlots ? op.quant.inputs[i].role : Role::kNone;
    const bool computes = op.quant.integer && role != Role::kNone && i > 0 && view.has_input(0);
    DType expected = computes && !op.mixed_types ? view.input(0).dtype : type;
    if (IsFloat(type) && !op.mixed_types) {
      if (float_type == DType::kNone) float_type = type;
      if (expected == type) expected = float_type;
    }
    if (type != expected) {
      return Invalid(Text("its input \"", view.input_value(i).name, "\" is ", DTypeName(type),
                          " where ", DTypeName(expected), " is needed"),
                     "the file is damaged or was edited by hand");
    }
  }
  return {};
}

}  // namespace

Result<Prepared> Prepare(const graph::Graph& graph, const graph::Node& node, const Cpu& cpu,
                         PackCache& packs) {
  const std::string path = NodePath(graph, node);
  const OpDef* op = FindOp(node.op);
  if (!op) {
    return Fail(Error(ErrorKind::kUnsupported, "pare has no such operator",
                      "`pare inspect` lists all operators of a model that do not run")
                    .at(path));
  }
  PrepareContext context(graph, node, cpu, packs);
  Status status = CheckTypes(context);
  if (status) status = CheckOperandTypes(context, *op);
  if (status) status = op->prepare(context);
  if (!status) return Fail(status.error().at(path));
  return context.Take();
}

Result<std::vector<Tensor>> Evaluate(const graph::Graph& graph, const graph::Node& node) {
  PackCache packs;  // nothing survives
  static const Cpu cpu = DetectCpu();
  PARE_ASSIGN(const Prepared prepared, Prepare(graph, node, cpu, packs));

  std::vector<const void*> inputs;
  for (graph::ValueId id : node.inputs) {
    const bool there = id != graph::ValueId::kNone;
    if (there && !graph.value(id).data)
      return Fail(ErrorKind::kInternal, "an input is not constant");
    inputs.push_back(there ? graph.value(id).data.data() : nullptr);
  }
  std::vector<Tensor> results;
  std::vector<void*> outputs;
  for (graph::ValueId id : node.outputs) {
    Tensor result;
    if (id != graph::ValueId::kNone) {
      const graph::TensorType& type = graph.value(id).type;
      if (prepared.alias_input >= 0) {
        result = graph.value(node.inputs[prepared.alias_input]).data.Reshaped(type.dims());
      } else {
        PARE_ASSIGN(result, Tensor::Make(type.dtype, type.dims()));
      }
    }
    outputs.push_back(result ? result.mutable_data() : nullptr);
    results.push_back(std::move(result));
  }
  std::vector<Tensor> memory;
  const auto allocate = [&](size_t bytes) -> Result<void*> {
    PARE_ASSIGN(Tensor block, Tensor::Make(DType::kU8, {static_cast<int64_t>(bytes)}));
    memory.push_back(block);
    return memory.back().mutable_data();
  };
  std::vector<void*> temps;
  for (size_t bytes : prepared.temp_bytes) {
    PARE_ASSIGN(void* temp, allocate(bytes));
    temps.push_back(temp);
  }
  Fault fault;
  for (const Step& step : prepared.steps) {
    PARE_ASSIGN(void* scratch, allocate(step.scratch_bytes));
    step.run(
        {inputs.data(), outputs.data(), temps.data(), step.state, scratch, 0, step.tasks, &fault});
  }
  if (fault.raised())
    return Fail(Error(ErrorKind::kInvalid, fault.message()).at(NodePath(graph, node)));
  return results;
}

}  // namespace pare::ops
