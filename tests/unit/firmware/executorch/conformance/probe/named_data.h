// SPDX-License-Identifier: Apache-2.0
//
// Data beside a program: the <name>.data file that export_programs.py writes. It consists of
// records:
//
//   u16 size of the key with its NUL, u8 dtype, u8 number of dimensions, u32 size of the data,
//   i32 sizes[], u8 dim_order[], key, data
//
// Sizes are in bytes. The data starts at a multiple of 16 bytes and is padded to a multiple of 16.
#pragma once

#include <executorch/runtime/core/named_data_map.h>

namespace conformance {

// The fault of the data that a map returns.
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
