#include "data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <climits>
#include <optional>

#include "base/cursor.h"

namespace pare::data {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint16_t kZip64Field = 1, kPaddingField = 0xd935;
constexpr uint32_t kIn64 = 0xffffffff;  // "the number stands in the zip64 field"
constexpr size_t kEndBytes = 22;

tl::unexpected<Error> Damaged() {
  return Invalid("is no zip archive, or a damaged one", "copy or write the file anew");
}

struct Directory {
  uint64_t offset = 0;
  uint64_t entries = 0;
};

std::optional<size_t> FindEnd(std::span<const std::byte> bytes) {
  if (bytes.size() < kEndBytes) return std::nullopt;
  const size_t last = bytes.size() - kEndBytes;
  for (size_t back = 0; back <= std::min<size_t>(last, 65535); ++back) {
    if (ByteCursor(bytes.subspan(last - back)).Little<uint32_t>() == kEnd) return last - back;
  }
  return std::nullopt;
}

std::optional<Directory> FindDirectory64(std::span<const std::byte> bytes, size_t end) {
  if (end < 20) return std::nullopt;
  ByteCursor locator(bytes.subspan(end - 20));
  if (locator.Little<uint32_t>() != kLocator64 || !locator.Skip(4)) return std::nullopt;
  const auto at = locator.Little<uint64_t>();
  ByteCursor record(bytes);
  if (!at || !record.Skip(*at) || record.Little<uint32_t>() != kEnd64 || !record.Skip(28)) {
    return std::nullopt;
  }
  const auto entries = record.Little<uint64_t>();
  if (!record.Skip(8)) return std::nullopt;
  const auto offset = record.Little<uint64_t>();
  if (!entries || !offset) return std::nullopt;
  return Directory{*offset, *entries};
}

std::optional<Directory> FindDirectory(std::span<const std::byte> bytes) {
  const auto end = FindEnd(bytes);
  if (!end) return std::nullopt;
  if (auto directory = FindDirectory64(bytes, *end)) return directory;
  ByteCursor record(bytes.subspan(*end));
  record.Skip(10);
  const auto entries = record.Little<uint16_t>();
  record.Skip(4);
  const auto offset = record.Little<uint32_t>();
  if (!entries || !offset) return std::nullopt;
  return Directory{*offset, *entries};
}

struct Sizes {
  uint64_t unpacked, packed, offset;
};

// The zip64 field holds, in this order, those of the three that were too large for 32 bits.
bool ReadZip64(std::span<const std::byte> extra, Sizes& sizes) {
  ByteCursor cursor(extra);
  while (cursor.remaining() >= 4) {
    const auto id = cursor.Little<uint16_t>(), length = cursor.Little<uint16_t>();
    const auto field = cursor.Take(*length);
    if (!field) return false;
    if (*id != kZip64Field) continue;
    ByteCursor numbers(*field);
    for (uint64_t* value : {&sizes.unpacked, &sizes.packed, &sizes.offset}) {
      if (*value != kIn64) continue;
      const auto wide = numbers.Little<uint64_t>();
      if (!wide) return false;
      *value = *wide;
    }
  }
  return true;
}

// The local header repeats name and extra field with lengths of its own; the content follows.
std::optional<std::span<const std::byte>> ContentAt(std::span<const std::byte> bytes,
                                                    const Sizes& sizes) {
  ByteCursor local(bytes);
  if (!local.Skip(sizes.offset) || local.Little<uint32_t>() != kLocal || !local.Skip(22)) {
    return std::nullopt;
  }
  const auto name = local.Little<uint16_t>(), extra = local.Little<uint16_t>();
  if (!name || !extra || !local.Skip(uint64_t{*name} + *extra)) return std::nullopt;
  return local.Take(sizes.packed);
}

Result<ZipEntry> ReadEntry(std::span<const std::byte> bytes, ByteCursor& central) {
  if (central.remaining() < 46) return Damaged();  // the fixed part, read below
  if (central.Little<uint32_t>() != kCentral || !central.Skip(4)) return Damaged();
  const auto flags = central.Little<uint16_t>(), method = central.Little<uint16_t>();
  central.Skip(4);
  const auto crc = central.Little<uint32_t>();
  const auto packed = central.Little<uint32_t>(), unpacked = central.Little<uint32_t>();
  const auto name_length = central.Little<uint16_t>(), extra_length = central.Little<uint16_t>(),
             comment_length = central.Little<uint16_t>();
  central.Skip(8);
  const auto offset = central.Little<uint32_t>();
  const auto name = central.Take(*name_length), extra = central.Take(*extra_length);
  if (!name || !extra || !central.Skip(*comment_length)) return Damaged();
  ZipEntry entry{std::string(TextOf(*name)), *method, *crc, 0, {}};
  if (*flags & 1) return Fail(Error(ErrorKind::kUnsupported, "is encrypted").at(entry.name));
  if (*method != 0 && *method != Z_DEFLATED) {
    return Fail(Error(ErrorKind::kUnsupported, Text("is packed by zip method ", *method),
                      "pack it with deflate, or not at all")
                    .at(entry.name));
  }
  Sizes sizes{*unpacked, *packed, *offset};
  if (!ReadZip64(*extra, sizes)) return Damaged();
  const auto content = ContentAt(bytes, sizes);
  if (!content) return Damaged();
  entry.size = sizes.unpacked;
  entry.packed = *content;
  // Deflate shrinks to 1/1032 at best: a larger claim only wants our memory.
  const bool possible =
      *method == 0 ? sizes.unpacked == sizes.packed : sizes.unpacked / 1040 <= sizes.packed;
  if (!possible) return Damaged();
  return entry;
}

void Put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

// What the local and the central header have in common, up to the lengths of name and extra field.
void PutCommon(std::string& out, uint32_t crc, const std::string& name, size_t extra) {
  Put(out, 45, 2);  // version needed: zip64
  Put(out, 0, 2);   // flags
  Put(out, 0, 2);   // stored
  Put(out, 0, 2);
  Put(out, 0x21, 2);  // 1980-01-01, so that equal content gives equal bytes
  Put(out, crc, 4);
  Put(out, kIn64, 4);
  Put(out, kIn64, 4);
  Put(out, name.size(), 2);
  Put(out, extra, 2);
}

}  // namespace

Result<std::vector<ZipEntry>> ListZip(std::span<const std::byte> bytes) {
  const auto directory = FindDirectory(bytes);
  ByteCursor central(bytes);
  if (!directory || !central.Skip(directory->offset)) return Damaged();
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory->entries; ++i) {
    PARE_ASSIGN(ZipEntry entry, ReadEntry(bytes, central));
    entries.push_back(std::move(entry));
  }
  return entries;
}

namespace {

Status CheckSum(std::span<const std::byte> bytes, uint32_t crc) {
  if (crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()) == crc) return {};
  return Invalid("the checksum is wrong: the bytes are damaged", "copy or write the file anew");
}

}  // namespace

Status Inflate(const ZipEntry& entry, std::span<std::byte> out) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    return Fail(ErrorKind::kMemory, "no memory to unpack a zip member");
  }
  auto* next_in = reinterpret_cast<const Bytef*>(entry.packed.data());
  size_t in_left = entry.packed.size(), out_left = out.size();
  stream.next_in = const_cast<Bytef*>(next_in);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  int code = Z_OK;
  while (code == Z_OK) {  // zlib counts in 32 bits
    const uInt in = static_cast<uInt>(std::min<size_t>(in_left, UINT_MAX / 2));
    const uInt room = static_cast<uInt>(std::min<size_t>(out_left, UINT_MAX / 2));
    stream.avail_in = in;
    stream.avail_out = room;
    code = inflate(&stream, Z_NO_FLUSH);
    in_left -= in - stream.avail_in;
    out_left -= room - stream.avail_out;
    if (code == Z_OK && in == stream.avail_in && room == stream.avail_out) code = Z_BUF_ERROR;
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END || out_left != 0) return Damaged();
  return CheckSum(out, entry.crc);
}

Status CheckStored(const ZipEntry& entry) { return CheckSum(entry.packed, entry.crc); }

Status ZipWriter::Add(const std::string& name, std::span<const std::byte> head,
                      std::span<const std::span<const std::byte>> body) {
  uint64_t size = head.size();
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(head.data()), head.size());
  for (const std::span<const std::byte> part : body) {
    if (part.empty()) continue;
    size += part.size();
    crc = crc32_z(crc, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  const uint64_t offset = file_.offset();
  const uint64_t fixed = offset + 30 + name.size() + 20 + 4;
  const uint64_t padding = (64 - fixed % 64) % 64;
  std::string header;
  Put(header, kLocal, 4);
  PutCommon(header, static_cast<uint32_t>(crc), name, 20 + 4 + padding);
  header += name;
  Put(header, kZip64Field, 2);
  Put(header, 16, 2);
  Put(header, size, 8);
  Put(header, size, 8);
  Put(header, kPaddingField, 2);
  Put(header, padding, 2);
  header.append(padding, '\0');
  PARE_TRY(file_.Write(header));
  PARE_TRY(file_.Write(head));
  for (const std::span<const std::byte> part : body) PARE_TRY(file_.Write(part));
  written_.push_back({name, static_cast<uint32_t>(crc), size, offset});
  return {};
}

Status ZipWriter::Finish() {
  const uint64_t offset = file_.offset();
  std::string out;
  for (const Written& entry : written_) {
    Put(out, kCentral, 4);
    Put(out, 45, 2);
    PutCommon(out, entry.crc, entry.name, 28);
    Put(out, 0, 2 + 2 + 2);  // comment, disk, internal attributes
    Put(out, 0, 4);
    Put(out, kIn64, 4);
    out += entry.name;
    Put(out, kZip64Field, 2);
    Put(out, 24, 2);
    for (const uint64_t value : {entry.size, entry.size, entry.offset}) Put(out, value, 8);
  }
  const uint64_t bytes = out.size(), count = written_.size();
  const bool wide = offset + bytes >= kIn64 || count >= 0xffff;
  if (wide) {
    Put(out, kEnd64, 4);
    Put(out, 44, 8);
    Put(out, 45, 2);
    Put(out, 45, 2);
    Put(out, 0, 8);  // disks
    for (const uint64_t value : {count, count, bytes, offset}) Put(out, value, 8);
    Put(out, kLocator64, 4);
    Put(out, 0, 4);
    Put(out, offset + bytes, 8);
    Put(out, 1, 4);
  }
  Put(out, kEnd, 4);
  Put(out, 0, 4);
  for (int i = 0; i < 2; ++i) Put(out, wide ? 0xffff : count, 2);
  Put(out, wide ? kIn64 : bytes, 4);
  Put(out, wide ? kIn64 : offset, 4);
  Put(out, 0, 2);
  return file_.Write(out);
}

}  // namespace pare::data
