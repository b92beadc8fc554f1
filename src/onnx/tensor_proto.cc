#include "onnx/tensor_proto.h"

#include <algorithm>
#include <charconv>

#include "onnx/messages.h"

namespace pare::onnx {
namespace {

struct TensorMessage {
  Dims dims;
  int64_t data_type = 0;
  std::string_view name, doc;
  std::optional<Bytes> raw;
  bool external = false;
  std::string_view location;
  int64_t offset = 0;
  std::optional<int64_t> length;
};

Result<int64_t> ReadNumber(std::string_view key, std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    return Invalid(Text("the ", key, " of its external data is \"", Printable(text), "\""));
  }
  return number;
}

Status ReadExternalEntry(Bytes bytes, TensorMessage& message) {
  std::string_view key, value;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(1)) key = in.text();
    if (in.tag() == BytesTag(2)) value = in.text();
  }
  if (!in.ok()) return Malformed("TensorProto");
  if (key == "location") message.location = value;
  if (key == "offset") {
    PARE_ASSIGN(message.offset, ReadNumber(key, value));
  }
  if (key == "length") {
    PARE_ASSIGN(message.length, ReadNumber(key, value));
  }
  return {};
}

Result<TensorMessage> ReadHeader(Bytes bytes) {
  TensorMessage message;
  WireReader in(bytes);
  while (in.Next()) {
    switch (in.tag()) {
      case VarintTag(1):
        message.dims.push_back(in.int64());
        break;
      case BytesTag(1): {
        WireReader packed(in.bytes());
        while (!packed.empty()) {
          uint64_t dim = 0;
          if (!packed.TakeVarint(dim)) return Malformed("TensorProto");
          message.dims.push_back(static_cast<int64_t>(dim));
        }
        break;
      }
      case VarintTag(2):
        message.data_type = in.int64();
        break;
      case BytesTag(8):
        message.name = in.text();
        break;
      case BytesTag(9):
        message.raw = in.bytes();
        break;
      case BytesTag(13):
        PARE_TRY(ReadExternalEntry(in.bytes(), message));
        break;
      case BytesTag(12):
        message.doc = in.text();
        break;
      case VarintTag(14):
        message.external = in.varint() == 1;
        break;
    }
  }
  if (!in.ok()) return Malformed("TensorProto");
  return message;
}

tl::unexpected<Error> SizeMismatch(const TensorMessage& message, DType dtype, int64_t count,
                                   std::string_view found) {
  return Invalid(Text("its shape ", DimsText(message.dims), " of ", DTypeName(dtype), " needs ",
                      count, " elements, but ", found),
                 "the file is damaged or cut short; fetch or export it again");
}

// How many bytes `count` elements have in a file; false where that is beyond all bounds.
bool StoredBytes(DType dtype, int64_t count, size_t& bytes) {
  if (IsNarrow(dtype)) {
    bytes = static_cast<size_t>(count / 2 + count % 2);
    return true;
  }
  return !__builtin_mul_overflow(static_cast<size_t>(count), SizeOf(dtype), &bytes);
}

// Element `i` of packed ones.
uint8_t Unpacked(DType dtype, uint8_t pair, int64_t i) {
  const auto bits = static_cast<uint8_t>(i % 2 == 0 ? pair & 15 : pair >> 4);
  return dtype == DType::kI4 && bits > 7 ? static_cast<uint8_t>(bits | 0xf0) : bits;
}

// `data` has the StoredBytes of the message's shape.
Result<Tensor> FromPacked(const TensorMessage& message, DType dtype, Bytes data) {
  PARE_ASSIGN(Tensor tensor, Tensor::Make(dtype, message.dims));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const auto pair = static_cast<uint8_t>(data[static_cast<size_t>(i / 2)]);
    tensor.mutable_data()[i] = static_cast<std::byte>(Unpacked(dtype, pair, i));
  }
  return tensor;
}

// A view of `data` where it may be one, else a copy.
Result<Tensor> FromRaw(const TensorMessage& message, DType dtype, Bytes data,
                       const std::shared_ptr<const void>& owner) {
  if (IsNarrow(dtype)) return FromPacked(message, dtype, data);
  const bool aligned = reinterpret_cast<uintptr_t>(data.data()) % SizeOf(dtype) == 0;
  // A bool that is neither 0 nor 1 is undefined in C++: such bytes are mended in a copy.
  const bool odd_bool =
      dtype == DType::kBool &&
      std::any_of(data.begin(), data.end(), [](std::byte b) { return b > std::byte{1}; });
  if (owner && aligned && !odd_bool && !data.empty()) {
    return Tensor::View(dtype, message.dims, data.data(), owner);
  }
  PARE_ASSIGN(Tensor tensor, Tensor::Make(dtype, message.dims));
  std::byte* out = tensor.mutable_data();
  for (size_t i = 0; odd_bool && i < data.size(); ++i) out[i] = std::byte{data[i] != std::byte{0}};
  if (!odd_bool && !data.empty()) std::memcpy(out, data.data(), data.size());
  return tensor;
}

// Which field holds elements that are not raw, and how they are written there.
enum class Encoding { kFloat, kVarint, kDouble };
struct TypedField {
  uint32_t field;
  Encoding encoding;
};
TypedField TypedFieldOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {4, Encoding::kFloat};
    case DType::kF64:
      return {10, Encoding::kDouble};
    case DType::kI64:
      return {7, Encoding::kVarint};
    case DType::kU32:
    case DType::kU64:
      return {11, Encoding::kVarint};
    default:  // 8 and 16 bits of any kind, i32
      return {5, Encoding::kVarint};
  }
}

template <typename T>
T FromBits(uint64_t bits) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<double>(bits);
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return T{static_cast<uint16_t>(bits)};
  } else {
    return static_cast<T>(bits);
  }
}

// Calls f(bits) for each element of the typed field; false where the bytes are malformed.
template <typename F>
bool ForEachTyped(Bytes message, TypedField typed, F&& f) {
  WireReader in(message);
  while (in.Next()) {
    if (in.tag() >> 3 != typed.field) continue;
    if ((in.tag() & 7) != 2) {
      f(in.varint());
    } else if (typed.encoding == Encoding::kVarint) {
      WireReader packed(in.bytes());
      while (!packed.empty()) {
        uint64_t bits = 0;
        if (!packed.TakeVarint(bits)) return false;
        f(bits);
      }
    } else {
      const size_t size = typed.encoding == Encoding::kFloat ? 4 : 8;
      if (in.bytes().size() % size != 0) return false;
      for (Bytes rest = in.bytes(); !rest.empty(); rest = rest.subspan(size)) {
        uint64_t bits = 0;
        std::memcpy(&bits, rest.data(), size);
        f(bits);
      }
    }
  }
  return in.ok();
}

Result<Tensor> FromTyped(Bytes bytes, const TensorMessage& message, DType dtype, int64_t count) {
  const TypedField typed = TypedFieldOf(dtype);
  int64_t found = 0;
  if (!ForEachTyped(bytes, typed, [&](uint64_t) { ++found; })) return Malformed("TensorProto");
  if (found != (IsNarrow(dtype) ? count / 2 + count % 2 : count)) {
    return SizeMismatch(message, dtype, count,
                        Text("there are ", found, IsNarrow(dtype) ? " pairs" : ""));
  }
  if (IsNarrow(dtype)) {
    std::vector<std::byte> pairs;
    ForEachTyped(bytes, typed, [&](uint64_t bits) { pairs.push_back(std::byte(bits & 0xff)); });
    return FromPacked(message, dtype, pairs);
  }
  PARE_ASSIGN(Tensor tensor, Tensor::Make(dtype, message.dims));
  VisitDType(dtype, [&]<typename T>(T) {
    T* out = tensor.mutable_as<T>().data();
    ForEachTyped(bytes, typed, [&](uint64_t bits) { *out++ = FromBits<T>(bits); });
  });
  return tensor;
}

Result<Tensor> FromExternal(const TensorMessage& message, DType dtype, int64_t count,
                            ExternalFiles* files) {
  NoExternalFiles none;
  PARE_ASSIGN(const SharedBytes file, (files ? files : &none)->Open(message.location));
  size_t needed = 0;
  if (!StoredBytes(dtype, count, needed) ||
      (message.length && static_cast<size_t>(*message.length) != needed)) {
    return SizeMismatch(message, dtype, count,
                        Text("its external data has ", message.length.value_or(0), " bytes"));
  }
  const size_t offset = static_cast<size_t>(message.offset);
  if (offset > file.bytes.size() || needed > file.bytes.size() - offset) {
    return Invalid(Text("its data is said to be at bytes ", offset, " to ", offset + needed, " of ",
                        Printable(message.location), ", which has ", file.bytes.size()),
                   "the data file is cut short or of another model; fetch it again");
  }
  return FromRaw(message, dtype, file.bytes.subspan(offset, needed), file.owner);
}

Result<Tensor> ReadData(Bytes bytes, const TensorMessage& message, DType dtype,
                        const TensorSource& source) {
  PARE_ASSIGN(const int64_t count, CountOf(message.dims));
  if (message.external) return FromExternal(message, dtype, count, source.files);
  if (!message.raw) return FromTyped(bytes, message, dtype, count);
  const size_t size = message.raw->size();
  size_t needed = 0;
  if (!StoredBytes(dtype, count, needed) || size != needed) {
    return SizeMismatch(message, dtype, count, Text("there are ", size, " bytes"));
  }
  return FromRaw(message, dtype, *message.raw, source.owner);
}

}  // namespace

Result<NamedTensor> ReadNamedTensor(Bytes bytes, const TensorSource& source) {
  PARE_ASSIGN(const TensorMessage message, ReadHeader(bytes));
  NamedTensor result{.name = message.name, .doc = message.doc, .tensor = {}};
  const auto in_context = [&](const Error& error) {
    return Fail(error.at(Text("tensor ", Printable(message.name))));
  };
  if (message.data_type <= 0 || message.data_type > kNewestDataType) {
    return in_context(Error(ErrorKind::kInvalid,
                            Text("its element type ", message.data_type, " is none of ONNX"),
                            "the file is damaged, or made by a faulty exporter"));
  }
  const DType dtype = DTypeFromOnnx(static_cast<int>(message.data_type));
  if (dtype == DType::kNone) {
    if (message.external) {  // kept as bytes, it could not follow an exported model
      return in_context(Error(ErrorKind::kUnsupported,
                              Text("pare has no tensors of its element type ", message.data_type),
                              "save the model with its weights inside"));
    }
    result.foreign = true;
    return result;
  }
  Result<Tensor> tensor = ReadData(bytes, message, dtype, source);
  if (!tensor) return in_context(tensor.error());
  result.tensor = std::move(*tensor);
  return result;
}

Result<std::string_view> TensorName(Bytes bytes) {
  std::string_view name;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(8)) name = in.text();
  }
  if (!in.ok()) return Malformed("TensorProto");
  return name;
}

Result<Tensor> ReadTensorProto(Bytes bytes) {
  PARE_ASSIGN(NamedTensor named, ReadNamedTensor(bytes, {}));
  if (named.foreign) return Unsupported("pare has no tensors of its element type");
  return std::move(named.tensor);
}

Tensor AsStored(const Tensor& tensor) {
  if (!IsNarrow(tensor.dtype())) return tensor;
  const int64_t count = tensor.count();
  Tensor packed = Tensor::Zeros(DType::kU8, {count / 2 + count % 2}).value();
  const auto pairs = packed.mutable_as<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int bits = static_cast<int>(tensor.data()[i]) & 15;
    pairs[static_cast<size_t>(i / 2)] |= static_cast<uint8_t>(i % 2 == 0 ? bits : bits << 4);
  }
  return packed;
}

WireWriter WriteTensor(std::string_view name, const Tensor& tensor, const ExternalPlace* place) {
  const Tensor stored = AsStored(tensor);
  WireWriter out;
  for (int64_t dim : tensor.shape()) out.Int(1, dim);
  out.Int(2, DTypeToOnnx(tensor.dtype()));
  if (!name.empty()) out.Text(8, name);
  if (!place) {
    out.Data(9, stored);
    return out;
  }
  const std::pair<std::string_view, std::string> entries[] = {
      {"location", place->location},
      {"offset", Text(place->offset)},
      {"length", Text(stored.bytes())},
  };
  for (const auto& [key, value] : entries) {
    WireWriter entry;
    entry.Text(1, key);
    entry.Text(2, value);
    out.Message(13, std::move(entry));
  }
  out.Int(14, 1);
  return out;
}

}  // namespace pare::onnx
