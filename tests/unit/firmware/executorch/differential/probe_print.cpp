// SPDX-License-Identifier: Apache-2.0
#include "probe_print.h"

#include <cinttypes>
#include <cstdio>
#include <string>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // num_instructions() is "experimental".

namespace probe {

using namespace executorch::runtime;  // NOLINT: this whole file is about it
using etensor::Tensor;

namespace {

std::string Dims(const ArrayRef<std::int32_t>& values) {
  std::string text = "[";
  for (const std::int32_t value : values) text += std::to_string(value) + " ";
  return text + "]";
}

void PrintInfo(const char* what, std::size_t index, const Result<TensorInfo>& info) {
  std::printf("%s %zu 0x%x", what, index, Code(info.error()));
  if (info.ok()) {
    std::printf(
        " dtype=%d nbytes=%zu planned=%d name='%s' sizes=", static_cast<int>(info->scalar_type()),
        info->nbytes(), info->is_memory_planned(), std::string(info->name()).c_str());
    for (const std::int32_t size : info->sizes()) std::printf("%d ", size);
    std::printf("order=");
    for (const std::uint8_t dim : info->dim_order()) std::printf("%d ", dim);
  }
  std::printf("\n");
}

void PrintTag(const char* what, std::size_t index, const Result<Tag>& tag) {
  std::printf("%s %zu 0x%x", what, index, Code(tag.error()));
  if (tag.ok()) {
    char name[kTagNameBufferSize];
    tag_to_string(*tag, name, sizeof(name));
    std::printf(" %s", name);
  }
  std::printf("\n");
}

}  // namespace

std::uint32_t Hash(const void* data, std::size_t size_bytes, std::uint32_t hash) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  for (std::size_t i = 0; i < size_bytes; ++i) hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

void PrintTensor(const Tensor& t) {
  std::string order;
  for (const std::uint8_t dim : t.dim_order()) order += std::to_string(dim) + " ";
  std::printf("tensor dtype=%d sizes=%s order=%s strides=%s nbytes=%zu dynamism=%d data=",
              static_cast<int>(t.scalar_type()), Dims(t.sizes()).c_str(), order.c_str(),
              Dims(t.strides()).c_str(), t.nbytes(), static_cast<int>(t.shape_dynamism()));
  if (t.const_data_ptr() == nullptr) {
    std::printf("null\n");
  } else {
    std::printf("%08x\n", Hash(t.const_data_ptr(), t.nbytes()));
  }
}

void PrintValue(const EValue& value) {
  switch (value.tag) {
    case Tag::None:
      std::printf("none\n");
      break;
    case Tag::Int:
      std::printf("int %" PRId64 "\n", value.toInt());
      break;
    case Tag::Bool:
      std::printf("bool %d\n", value.toBool());
      break;
    case Tag::Double:
      std::printf("double %a\n", value.toDouble());
      break;
    case Tag::String:
      std::printf("string '%s'\n", std::string(value.toString()).c_str());
      break;
    case Tag::Tensor:
      PrintTensor(value.toTensor());
      break;
    case Tag::ListInt:
      std::printf("ints");
      for (const std::int64_t item : value.toIntList()) std::printf(" %" PRId64, item);
      std::printf("\n");
      break;
    case Tag::ListDouble:
      std::printf("doubles");
      for (const double item : value.toDoubleList()) std::printf(" %a", item);
      std::printf("\n");
      break;
    case Tag::ListBool:
      std::printf("bools");
      for (const bool item : value.toBoolList()) std::printf(" %d", item);
      std::printf("\n");
      break;
    case Tag::ListTensor:
      std::printf("tensors %zu\n", value.toTensorList().size());
      for (const Tensor& item : value.toTensorList()) PrintTensor(item);
      break;
    case Tag::ListOptionalTensor:
      std::printf("optional tensors %zu\n", value.toListOptionalTensor().size());
      for (const auto& item : value.toListOptionalTensor()) {
        if (item.has_value()) {
          PrintTensor(*item);
        } else {
          std::printf("none\n");
        }
      }
      break;
    default:
      std::printf("tag %u\n", static_cast<unsigned>(value.tag));
  }
}

void PrintMeta(const MethodMeta& meta) {
  for (std::size_t i = 0; i <= meta.num_inputs(); ++i) {
    PrintTag("input tag", i, meta.input_tag(i));
    PrintInfo("input", i, meta.input_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_outputs(); ++i) {
    PrintTag("output tag", i, meta.output_tag(i));
    PrintInfo("output", i, meta.output_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_attributes(); ++i) {
    PrintInfo("attribute", i, meta.attribute_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_memory_planned_buffers(); ++i) {
    const Result<std::int64_t> size = meta.memory_planned_buffer_size(i);
    const Result<etensor::Device> device = meta.memory_planned_buffer_device(i);
    std::printf("buffer %zu 0x%x %" PRId64 " device 0x%x %d\n", i, Code(size.error()),
                size.ok() ? *size : -1, Code(device.error()),
                device.ok() ? static_cast<int>(device->type()) : -1);
  }
  for (std::size_t i = 0; i <= meta.num_backends(); ++i) {
    const Result<const char*> name = meta.get_backend_name(i);
    std::printf("backend %zu 0x%x %s\n", i, Code(name.error()), name.ok() ? *name : "");
  }
  std::printf("uses EthosUBackend %d, %zu instructions\n", meta.uses_backend("EthosUBackend"),
              meta.num_instructions());
}

}  // namespace probe
