#include "data/npy.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/cursor.h"
#include "data/zip.h"

namespace pare::data {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct TypeCode {
  std::string_view code;  // NumPy's, without the byte order
  DType dtype;
};
constexpr std::array<TypeCode, 12> kTypes = {{{"f4", DType::kF32},
                                              {"f2", DType::kF16},
                                              {"f8", DType::kF64},
                                              {"u1", DType::kU8},
                                              {"i1", DType::kI8},
                                              {"u2", DType::kU16},
                                              {"i2", DType::kI16},
                                              {"u4", DType::kU32},
                                              {"i4", DType::kI32},
                                              {"u8", DType::kU64},
                                              {"i8", DType::kI64},
                                              {"b1", DType::kBool}}};

struct Header {
  DType dtype = DType::kNone;
  bool swapped = false;  // big-endian
  bool fortran = false;
  Dims shape;
};

// The header is the text of a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3,
// 4), }
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  Result<Header> Read() {
    Header header;
    if (!Accept('{')) return Malformed();
    while (!Accept('}')) {
      const auto key = Quoted();
      if (!key || !Accept(':')) return Malformed();
      if (*key == "descr") {
        PARE_TRY(ReadType(header));
      } else if (*key == "fortran_order") {
        const std::string_view word = Word();
        if (word != "True" && word != "False") return Malformed();
        header.fortran = word == "True";
      } else if (*key == "shape") {
        if (!ReadShape(header.shape)) return Malformed();
        has_shape_ = true;
      } else {
        return Malformed();
      }
      if (!Accept(',') && Peek() != '}') return Malformed();
    }
    if (header.dtype == DType::kNone || !has_shape_) return Malformed();
    return header;
  }

 private:
  static tl::unexpected<Error> Malformed() { return Invalid("the .npy header is damaged"); }

  char Peek() {
    while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_[0]))) {
      text_.remove_prefix(1);
    }
    return text_.empty() ? '\0' : text_[0];
  }
  bool Accept(char c) {
    if (Peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<std::string_view> Quoted() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    const size_t end = text_.find(quote, 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view inner = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return inner;
  }
  std::string_view Word() {
    Peek();
    size_t end = 0;
    while (end < text_.size() && std::isalnum(static_cast<unsigned char>(text_[end]))) ++end;
    const std::string_view word = text_.substr(0, end);
    text_.remove_prefix(end);
    return word;
  }

  Status ReadType(Header& header) {
    if (Peek() == '[') return Unsupported("holds records with fields, not numbers");
    const auto descr = Quoted();
    if (!descr || descr->size() < 2) return Malformed();
    const char order = (*descr)[0];
    const std::string_view code = descr->substr(1);
    for (const TypeCode& type : kTypes) {
      if (type.code == code) header.dtype = type.dtype;
    }
    if (header.dtype == DType::kNone || std::string_view("<>|=").find(order) == std::string::npos) {
      return Unsupported(Text("holds elements of NumPy's type '", *descr, "'"),
                         "convert them, e.g. with array.astype('float32')");
    }
    header.swapped = order == '>';
    return {};
  }

  bool ReadShape(Dims& shape) {
    if (!Accept('(')) return false;
    while (!Accept(')')) {
      const std::string_view word = Word();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), size);
      if (error != std::errc() || size < 0 || shape.size() >= 32) return false;
      if (end != word.data() + word.size() && *end != 'L') return false;  // Python 2's long
      shape.push_back(size);
      if (!Accept(',') && Peek() != ')') return false;
    }
    return true;
  }

  std::string_view text_;
  bool has_shape_ = false;
};

// Fortran order is C order of the reversed shape: element (i, j, k) lies at i + I·(j + J·k).
void CopyFortran(std::span<const std::byte> from, size_t element, const Dims& shape,
                 std::byte* to) {
  std::vector<int64_t> index(shape.size(), 0);
  for (size_t at = 0; at < from.size(); at += element) {
    int64_t source = 0;
    for (size_t axis = shape.size(); axis-- > 0;) source = source * shape[axis] + index[axis];
    std::memcpy(to + at, from.data() + source * element, element);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

void SwapBytes(std::byte* data, size_t bytes, size_t element) {
  for (size_t at = 0; at < bytes; at += element) std::reverse(data + at, data + at + element);
}

Result<Tensor> TensorFrom(const Header& header, std::span<const std::byte> data,
                          std::shared_ptr<const void> owner) {
  const size_t element = SizeOf(header.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(data.data()) % element == 0;
  const bool swap = header.swapped && element > 1;
  const bool fortran = header.fortran && header.shape.size() > 1;
  if (aligned && !swap && !fortran) {
    return Tensor::View(header.dtype, header.shape, data.data(), std::move(owner));
  }
  PARE_ASSIGN(Tensor tensor, Tensor::Make(header.dtype, header.shape));
  if (fortran) {
    CopyFortran(data, element, header.shape, tensor.mutable_data());
  } else if (!data.empty()) {
    std::memcpy(tensor.mutable_data(), data.data(), data.size());
  }
  if (swap) SwapBytes(tensor.mutable_data(), data.size(), element);
  return tensor;
}

// A byte of a bool array may hold anything in a file, but not in a C++ bool.
Status CheckBools(const Tensor& tensor) {
  if (tensor.dtype() != DType::kBool) return {};
  const std::byte* data = tensor.data();
  if (std::all_of(data, data + tensor.bytes(), [](std::byte b) { return b <= std::byte{1}; })) {
    return {};
  }
  return Invalid("a bool array holds something else than 0 and 1");
}

std::string HeaderFor(DType dtype, const Dims& sizes) {
  const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeCode& t) { return t.dtype == dtype; });
  std::string shape;
  for (const int64_t size : sizes) shape += Text(size, ", ");
  if (!sizes.empty()) shape.resize(shape.size() - (sizes.size() == 1 ? 1 : 2));  // (3,) but (3, 4)
  std::string dict = Text("{'descr': '", SizeOf(dtype) == 1 ? '|' : '<', type->code,
                          "', 'fortran_order': False, 'shape': (", shape, "), }");
  const size_t prefix = kMagic.size() + 4;
  dict.append(63 - (prefix + dict.size()) % 64, ' ');
  dict += '\n';
  std::string header(kMagic);
  header +=
      {'\x01', '\x00', static_cast<char>(dict.size() & 255), static_cast<char>(dict.size() >> 8)};
  return header + dict;
}

// NumPy has no bfloat16.
Result<Tensor> Writable(const Tensor& tensor) {
  if (!tensor) return Fail(ErrorKind::kInternal, "there is no tensor to write");
  return tensor.dtype() == DType::kBF16 ? Cast(tensor, DType::kF32) : tensor;
}

std::span<const std::byte> Content(const Tensor& tensor) { return {tensor.data(), tensor.bytes()}; }

Result<Tensor> ReadMember(const ZipEntry& entry, const std::shared_ptr<const void>& owner) {
  if (entry.method == 0) return ParseNpy(entry.packed, owner);
  PARE_ASSIGN(Tensor content, Tensor::Make(DType::kU8, {static_cast<int64_t>(entry.size)}));
  PARE_TRY(Inflate(entry, {content.mutable_data(), content.bytes()}));
  return ParseNpy(Content(content), content.owner());
}

Result<NamedTensors> ReadMembers(const std::vector<ZipEntry>& entries,
                                 const std::shared_ptr<const void>& owner) {
  NamedTensors tensors;
  for (const ZipEntry& entry : entries) {
    if (!entry.name.ends_with(".npy")) continue;
    auto tensor = ReadMember(entry, owner);
    if (!tensor) return Fail(tensor.error().at(entry.name));
    tensors.emplace_back(entry.name.substr(0, entry.name.size() - 4), *std::move(tensor));
  }
  if (tensors.empty()) return Invalid("holds no .npy arrays", "write it with numpy.savez");
  return tensors;
}

tl::unexpected<Error> CutHeader() {
  return Invalid("the .npy file is cut off in its header", "copy or write the file anew");
}

}  // namespace

Result<Tensor> ParseNpy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  ByteCursor cursor(bytes);
  const auto magic = cursor.Take(kMagic.size());
  if (!magic || TextOf(*magic) != kMagic) {
    return Invalid("is no .npy array: it doesn't begin with \\x93NUMPY",
                   "write it with numpy.save");
  }
  const auto major = cursor.Little<uint8_t>(), minor = cursor.Little<uint8_t>();
  if (!major || !minor) return CutHeader();
  if (*major < 1 || *major > 3) return Unsupported(Text(".npy version ", *major, " is not known"));
  const std::optional<uint32_t> length =
      *major == 1 ? std::optional<uint32_t>(cursor.Little<uint16_t>()) : cursor.Little<uint32_t>();
  const auto text = length ? cursor.Take(*length) : std::nullopt;
  if (!text) return CutHeader();
  PARE_ASSIGN(const Header header, HeaderReader(TextOf(*text)).Read());
  PARE_ASSIGN(const int64_t count, CountOf(header.shape));
  const size_t element = SizeOf(header.dtype);
  if (static_cast<uint64_t>(count) > cursor.remaining() / element) {
    return Invalid(Text("is cut off: the shape ", DimsText(header.shape), " needs ", count, " × ",
                        element, " bytes, and ", cursor.remaining(), " are there"),
                   "copy or write the file anew");
  }
  PARE_ASSIGN(Tensor tensor, TensorFrom(header, *cursor.Take(count * element), std::move(owner)));
  PARE_TRY(CheckBools(tensor));
  return tensor;
}

Result<Tensor> LoadNpy(const std::string& path) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  auto tensor = ParseNpy(file->bytes(), file);
  if (!tensor) return Fail(tensor.error().at(path));
  return tensor;
}

Status SaveNpy(const std::string& path, const Tensor& tensor) {
  PARE_ASSIGN(const Tensor array, Writable(tensor));
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  PARE_TRY(file.Write(HeaderFor(array.dtype(), array.shape())));
  PARE_TRY(file.Write(Content(array)));
  return file.Commit();
}

Result<NamedTensors> ParseNpz(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  PARE_ASSIGN(const auto entries, ListZip(bytes));
  return ReadMembers(entries, owner);
}

Result<NamedTensors> LoadNpz(const std::string& path) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  const auto entries = ListZip(file->bytes());
  if (!entries) return Fail(entries.error().at(path));
  auto tensors = ReadMembers(*entries, file);
  if (!tensors) return Fail(tensors.error().at(path));
  for (const ZipEntry& entry : *entries) {
    if (entry.method != 0) continue;  // checked when it was unpacked
    if (const Status status = CheckStored(entry); !status)
      return Fail(status.error().at(entry.name).at(path));
  }
  return tensors;
}

Status SaveNpz(const std::string& path, const NamedTensors& tensors) {
  std::vector<Tensor> written;  // the parts are views of them
  std::vector<ArrayInParts> arrays;
  for (const auto& [name, tensor] : tensors) {
    PARE_ASSIGN(const Tensor array, Writable(tensor));
    arrays.push_back({name, array.dtype(), array.shape(), {Content(array)}});
    written.push_back(array);
  }
  return SaveNpz(path, arrays);
}

Status SaveNpz(const std::string& path, std::span<const ArrayInParts> arrays) {
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ZipWriter zip(file);
  for (const ArrayInParts& array : arrays) {
    PARE_TRY(
        zip.Add(array.name + ".npy", BytesOf(HeaderFor(array.dtype, array.shape)), array.parts));
  }
  PARE_TRY(zip.Finish());
  return file.Commit();
}

}  // namespace pare::data
