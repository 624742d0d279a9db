// SPDX-License-Identifier: Apache-2.0
#include "metadata.h"

#include "transcript.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // num_instructions() is "experimental".

namespace conformance {
namespace {

using executorch::runtime::kTagNameBufferSize;
using executorch::runtime::MethodMeta;
using executorch::runtime::Result;
using executorch::runtime::Tag;
using executorch::runtime::TensorInfo;

void Print(const Result<TensorInfo>& info) {
  out << info.error();
  if (info.ok()) {
    out << " dtype " << static_cast<int>(info->scalar_type()) << " nbytes " << info->nbytes()
        << " planned " << info->is_memory_planned() << " name '" << info->name() << "' sizes";
    for (const std::int32_t size : info->sizes()) out << " " << size;
    out << " order";
    for (const std::uint8_t dim : info->dim_order()) out << " " << dim;
  }
  out << "\n";
}

void Print(const Result<Tag>& tag) {
  out << tag.error();
  char name[kTagNameBufferSize] = "";
  if (tag.ok()) executorch::runtime::tag_to_string(*tag, name, sizeof name);
  out << " " << name << " ";
}

}  // namespace

void Print(const MethodMeta& meta) {
  out << "meta of " << meta.name() << ": " << meta.num_inputs() << " inputs, " << meta.num_outputs()
      << " outputs, " << meta.num_attributes() << " attributes, "
      << meta.num_memory_planned_buffers() << " buffers, " << meta.num_non_const_buffers()
      << " not constant, " << meta.num_backends() << " backends, " << meta.num_instructions()
      << " instructions\n";
  for (std::size_t i = 0; i <= meta.num_inputs(); ++i) {
    out << "input " << i << " ";
    Print(meta.input_tag(i));
    Print(meta.input_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_outputs(); ++i) {
    out << "output " << i << " ";
    Print(meta.output_tag(i));
    Print(meta.output_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_attributes(); ++i) {
    out << "attribute " << i << " ";
    Print(meta.attribute_tensor_meta(i));
  }
  for (std::size_t i = 0; i <= meta.num_memory_planned_buffers(); ++i) {
    const auto size = meta.memory_planned_buffer_size(i);
    const auto device = meta.memory_planned_buffer_device(i);
    out << "buffer " << i << " " << size.error() << " " << (size.ok() ? *size : -1) << " again "
        << meta.non_const_buffer_size(i).error() << " device " << device.error() << " "
        << (device.ok() ? static_cast<int>(device->type()) : -1) << " "
        << (device.ok() ? static_cast<int>(device->index()) : -1) << "\n";
  }
  for (std::size_t i = 0; i <= meta.num_backends(); ++i) {
    const Result<const char*> name = meta.get_backend_name(i);
    out << "backend " << i << " " << name.error() << " " << (name.ok() ? *name : "") << "\n";
  }
  out << "uses";
  for (const char* name : {"EthosUBackend", "AddingBackend", "Adding", ""}) {
    out << " " << meta.uses_backend(name);
  }
  out << "\n";
}

}  // namespace conformance
