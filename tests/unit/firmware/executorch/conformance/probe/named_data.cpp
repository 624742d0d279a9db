// SPDX-License-Identifier: Apache-2.0
#include "named_data.h"

#include <cstring>

#include "transcript.h"

namespace conformance {
namespace {

using executorch::runtime::Error;
using executorch::runtime::FreeableBuffer;
using executorch::runtime::NamedDataMap;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::TensorLayout;
using executorch::runtime::etensor::ScalarType;

constexpr std::size_t kAlignBytes = 16;

std::size_t Aligned(std::size_t offset) {
  return (offset + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
}

void PrintFree(void* key, void*, std::size_t size_bytes) {
  out << "  freed " << static_cast<const char*>(key) << " of " << size_bytes << " bytes\n";
}

}  // namespace

struct NamedData::Record {
  const char* key;
  ScalarType dtype;
  Span<const std::int32_t> sizes;
  Span<const std::uint8_t> order;
  Span<const std::uint8_t> data;
};

bool NamedData::Next(std::size_t& offset, Record& into) const {
  if (offset >= file_.size() || fault_ == DataFault::kNoKeys) return false;
  const std::uint8_t* const start = file_.data() + offset;
  std::uint16_t key_bytes;
  std::uint32_t data_bytes;
  std::memcpy(&key_bytes, start, sizeof key_bytes);
  std::memcpy(&data_bytes, start + 4, sizeof data_bytes);
  const std::size_t dims = start[3];
  into.dtype = static_cast<ScalarType>(start[2]);
  into.sizes = {reinterpret_cast<const std::int32_t*>(start + 8), dims};
  into.order = {start + 8 + 4 * dims, dims};
  into.key = reinterpret_cast<const char*>(start + 8 + 5 * dims);
  const std::size_t data_offset = Aligned(offset + 8 + 5 * dims + key_bytes);
  into.data = {file_.data() + data_offset, data_bytes};
  offset = Aligned(data_offset + data_bytes);
  if (fault_ == DataFault::kOtherDtype) into.dtype = ScalarType::Short;
  if (fault_ == DataFault::kOtherSize && dims > 0) into.sizes = {into.sizes.data(), dims - 1};
  if (fault_ == DataFault::kOtherSize && dims > 0) into.order = {into.order.data(), dims - 1};
  if (fault_ == DataFault::kShort && data_bytes > 0) into.data = {into.data.data(), data_bytes - 1};
  return true;
}

bool NamedData::Find(std::string_view key, Record& into) const {
  std::size_t offset = 0;
  while (Next(offset, into)) {
    if (key == into.key) return true;
  }
  return false;
}

Result<const TensorLayout> NamedData::get_tensor_layout(std::string_view key) const {
  Record record;
  if (!Find(key, record)) return Error::NotFound;
  return TensorLayout::create(record.sizes, record.order, record.dtype);
}

Result<FreeableBuffer> NamedData::get_data(std::string_view key) const {
  Record record;
  if (!Find(key, record)) return Error::NotFound;
  return FreeableBuffer(record.data.data(), record.data.size(), PrintFree,
                        const_cast<char*>(record.key));
}

Error NamedData::load_data_into(std::string_view key, void* buffer, std::size_t size) const {
  Record record;
  if (!Find(key, record)) return Error::NotFound;
  if (size > record.data.size()) return Error::InvalidArgument;
  std::memcpy(buffer, record.data.data(), size);
  return Error::Ok;
}

Result<std::uint32_t> NamedData::get_num_keys() const {
  Record record;
  std::uint32_t count = 0;
  for (std::size_t offset = 0; Next(offset, record);) ++count;
  return count;
}

Result<const char*> NamedData::get_key(std::uint32_t index) const {
  Record record;
  for (std::size_t offset = 0; Next(offset, record); --index) {
    if (index == 0) return record.key;
  }
  return Error::InvalidArgument;
}

void Print(const NamedDataMap& map) {
  const Result<std::uint32_t> count = map.get_num_keys();
  out << "    keys " << count.error() << " " << (count.ok() ? *count : 0) << "\n";
  for (std::uint32_t i = 0; count.ok() && i <= *count; ++i) {
    const Result<const char*> key = map.get_key(i);
    out << "    key " << i << " " << key.error();
    if (key.ok()) {
      const Result<FreeableBuffer> data = map.get_data(*key);
      out << " " << *key << " layout " << map.get_tensor_layout(*key).error() << " data "
          << data.error();
      if (data.ok()) {
        (out << " " << data->size() << " bytes ").Hex(Hash(data->data(), data->size()));
      }
      std::uint8_t bytes[4] = {};
      out << " into " << map.load_data_into(*key, bytes, sizeof bytes) << " ";
      out.HexBytes(bytes, sizeof bytes);
    }
    out << "\n";
  }
  std::uint8_t byte;
  out << "    missing key " << map.get_data("no such key").error() << " "
      << map.get_tensor_layout("no such key").error() << " "
      << map.load_data_into("no such key", &byte, 1) << "\n";
}

}  // namespace conformance
