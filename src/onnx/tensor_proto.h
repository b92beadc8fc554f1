// TensorProto ↔ Tensor.
#pragma once

#include <memory>
#include <string_view>

#include "base/tensor.h"
#include "onnx/external.h"
#include "onnx/wire.h"
#include "onnx/wire_writer.h"

namespace pare::onnx {

struct NamedTensor {
  std::string_view name;  // of the message's bytes
  std::string_view doc;   // as well
  Tensor tensor;
  // A type of ONNX that pare has no tensors of (strings, complex numbers, 8-bit floats …): `tensor`
  // is empty.
  bool foreign = false;
};

// Where the bytes of messages come from.
struct TensorSource {
  std::shared_ptr<const void> owner;  // of the messages' bytes; null: what is kept is copied
  ExternalFiles* files = nullptr;     // null: none
};

// Data that lies aligned in `source` (or in a file beside it) is viewed, other data is copied.
// Never allocates more than a small multiple of the bytes that are there.
Result<NamedTensor> ReadNamedTensor(Bytes bytes, const TensorSource& source);

// The name alone.
Result<std::string_view> TensorName(Bytes bytes);

// The tensor of a .pb file, as the conformance suites have them. The result owns its bytes.
Result<Tensor> ReadTensorProto(Bytes bytes);

// The tensor as files have its bytes: two elements of 4 bits in a byte, the first one low, as u8;
// other types as they are.
Tensor AsStored(const Tensor& tensor);

// The fields of a TensorProto with raw data, or, where `location` is given, with its data at
// [offset, offset + bytes) of that file.
struct ExternalPlace {
  std::string location;
  int64_t offset;
};
WireWriter WriteTensor(std::string_view name, const Tensor& tensor,
                       const ExternalPlace* place = nullptr);

}  // namespace pare::onnx
