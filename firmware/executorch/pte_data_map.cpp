// SPDX-License-Identifier: Apache-2.0
//
// Named data of a .pte: a key, and the segment that contains the bytes.
#include <executorch/runtime/executor/pte_data_map.h>

#include <cstddef>
#include <string_view>

#include <c10/util/safe_numerics.h>

#include "program_schema.h"
#include "refuse.h"

namespace executorch {
namespace runtime {
namespace internal {
namespace {

using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::FitsSize;
using pilotlight::executorch_runtime::TableAt;

}  // namespace

Result<PteDataMap> PteDataMap::create(DataLoader* loader, size_t segment_base_offset,
                                      const flatbuffers::FlatbufferNamedData* named_data,
                                      const flatbuffers::FlatbufferDataSegment* segments) {
  if (loader == nullptr || named_data == nullptr || segments == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Named data without a loader or segments");
  }
  return PteDataMap(loader, segment_base_offset, named_data, segments);
}

Result<FreeableBuffer> PteDataMap::get_data(std::string_view key) const {
  for (std::size_t i = 0; i < CountOf(named_data_); ++i) {
    const auto* entry = TableAt(named_data_, i);
    if (entry == nullptr || entry->key() == nullptr) {
      return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Named data %zu has no key", i);
    }
    if (std::string_view(entry->key()->c_str(), entry->key()->size()) != key) continue;

    const std::size_t index = entry->segment_index();
    const auto* segment = TableAt(segments_, index);
    std::size_t offset = 0;
    std::size_t size_bytes = 0;
    if (segment == nullptr || !FitsSize(segment->offset(), &offset) ||
        !FitsSize(segment->size(), &size_bytes) ||
        c10::add_overflows(segment_base_offset_, offset, &offset)) {
      return PILOTLIGHT_REFUSE(Error::InvalidArgument,
                               "Named data %zu: segment %zu of %zu, or out of bounds", i, index,
                               CountOf(segments_));
    }
    return loader_->load(offset, size_bytes,
                         DataLoader::SegmentInfo(DataLoader::SegmentInfo::Type::Constant, index));
  }
  return Error::NotFound;
}

Result<uint32_t> PteDataMap::get_num_keys() const {
  return static_cast<uint32_t>(CountOf(named_data_));
}

Result<const char*> PteDataMap::get_key(uint32_t index) const {
  const auto* entry = TableAt(named_data_, index);
  if (entry == nullptr || entry->key() == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Named data %u of %zu",
                             static_cast<unsigned>(index), CountOf(named_data_));
  }
  return entry->key()->c_str();
}

}  // namespace internal
}  // namespace runtime
}  // namespace executorch
