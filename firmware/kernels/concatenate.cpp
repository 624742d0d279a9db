// SPDX-License-Identifier: Apache-2.0
//
// cat, stack. Signatures derived from kernels.yaml.
#include <cstdint>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Copy;
using pilotlight::kernels::HasData;
using pilotlight::kernels::NormaliseDim;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Shape;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

// PyTorch ignores a tensor of sizes [0], whatever the other shapes are.
bool IsNothing(const Tensor& tensor) { return tensor.dim() == 1 && tensor.sizes()[0] == 0; }

}  // namespace

Tensor& cat_out(KernelRuntimeContext& context, TensorList tensors, int64_t dim, Tensor& out) {
  const Tensor* first = nullptr;
  for (const Tensor& tensor : tensors) {
    if (first == nullptr || IsNothing(*first)) first = &tensor;
  }
  std::size_t joined = 0;
  if (first == nullptr || first->dim() == 0 ||
      !NormaliseDim(dim, static_cast<std::size_t>(first->dim()), joined)) {
    Refuse(context);
    return out;
  }
  Shape shape = pilotlight::kernels::ShapeOf(*first);
  std::int64_t total = 0;
  bool sound = true;
  for (const Tensor& tensor : tensors) {
    sound = sound && tensor.scalar_type() == out.scalar_type() && HasData(tensor);
    if (IsNothing(tensor)) continue;
    sound = sound && tensor.dim() == first->dim();
    for (std::size_t d = 0; sound && d < shape.rank; ++d) {
      sound = d == joined || tensor.sizes()[d] == shape.sizes[d];
    }
    if (sound) total += tensor.sizes()[joined];
  }
  Shape result;
  for (std::size_t d = 0; d < shape.rank; ++d) {
    sound = sound && result.Append(d == joined ? total : shape.sizes[d]);
  }
  if (!sound || !Resize(result, out)) {
    Refuse(context);
    return out;
  }
  std::int64_t start = 0;
  for (const Tensor& tensor : tensors) {
    if (IsNothing(tensor)) continue;
    View to = ViewOf(out);
    to.Slice(joined, start, 1, tensor.sizes()[joined]);
    Copy(ViewOf(tensor), to);
    start += tensor.sizes()[joined];
  }
  return out;
}

Tensor& stack_out(KernelRuntimeContext& context, TensorList tensors, int64_t dim, Tensor& out) {
  std::size_t place = 0;
  bool sound =
      !tensors.empty() && NormaliseDim(dim, static_cast<std::size_t>(tensors[0].dim()) + 1, place);
  for (std::size_t i = 0; sound && i < tensors.size(); ++i) {
    sound = tensors[i].scalar_type() == out.scalar_type() &&
            tensors[i].sizes().equals(tensors[0].sizes()) && HasData(tensors[i]);
  }
  Shape shape;
  for (std::size_t d = 0; sound && d <= static_cast<std::size_t>(tensors[0].dim()); ++d) {
    sound = shape.Append(d < place    ? tensors[0].sizes()[d]
                         : d == place ? static_cast<std::int64_t>(tensors.size())
                                      : tensors[0].sizes()[d - 1]);
  }
  if (!sound || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    View to = ViewOf(out);
    to.Select(place, static_cast<std::int64_t>(i));
    Copy(ViewOf(tensors[i]), to);
  }
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
