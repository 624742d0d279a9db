// SPDX-License-Identifier: Apache-2.0
//
// Data that lies beside a program: the <name>.data file that export_programs.py writes. Records,
// each
//
//   u16 bytes of the key with its NUL, u8 dtype, u8 dimensions, u32 bytes of data,
//   i32 sizes[], u8 order of dimensions[], key, data
//
// where data starts, and ends with padding, at a multiple of 16 bytes.
#pragma once

#include <executorch/runtime/core/named_data_map.h>

namespace conformance {

// What is wrong with the data that a map hands out.
enum class DataFault { kNone, kNoKeys, kOtherDtype, kOtherSize, kShort };

class NamedData final : public executorch::runtime::NamedDataMap {
 public:
  NamedData(executorch::runtime::Span<std::uint8_t> file, DataFault fault)
      : file_(file), fault_(fault) {}

  executorch::runtime::Result<const executorch::runtime::TensorLayout> get_tensor_layout(
      std::string_view key) const override;
  executorch::runtime::Result<executorch::runtime::FreeableBuffer> get_data(
      std::string_view key) const override;
  executorch::runtime::Error load_data_into(std::string_view key, void* buffer,
                                            std::size_t size) const override;
  executorch::runtime::Result<std::uint32_t> get_num_keys() const override;
  executorch::runtime::Result<const char*> get_key(std::uint32_t index) const override;

 private:
  struct Record;
  // False at the end.
  bool Next(std::size_t& offset, Record& into) const;
  bool Find(std::string_view key, Record& into) const;

  executorch::runtime::Span<std::uint8_t> file_;
  DataFault fault_;
};

void Print(const executorch::runtime::NamedDataMap& map);

}  // namespace conformance
