// SPDX-License-Identifier: Apache-2.0
//
// pixel_shuffle, pixel_unshuffle: channels to pixels and back. Signatures derived from
// kernels.yaml.
#include <cstdint>

#include "pilotlight/kernels/shape.h"
#include "pilotlight/kernels/view.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using pilotlight::kernels::Copy;
using pilotlight::kernels::HasData;
using pilotlight::kernels::Refuse;
using pilotlight::kernels::Resize;
using pilotlight::kernels::Shape;
using pilotlight::kernels::SizesType;
using pilotlight::kernels::View;
using pilotlight::kernels::ViewOf;

// Views the last three dimensions of the tensor with many channels as five loops: channel, row in
// the block, column in the block, row of blocks, column of blocks.
View FromChannels(const Tensor& tensor, SizesType factor) {
  View view = ViewOf(tensor);
  const std::size_t c = view.rank - 3;
  const View own = view;
  view.rank = c;
  view.Append(own.sizes[c] / (factor * factor), own.strides[c] * factor * factor);
  view.Append(factor, own.strides[c] * factor);
  view.Append(factor, own.strides[c]);
  view.Append(own.sizes[c + 1], own.strides[c + 1]);
  view.Append(own.sizes[c + 2], own.strides[c + 2]);
  return view;
}

// The same loops for the tensor with many pixels.
View FromPixels(const Tensor& tensor, SizesType factor) {
  View view = ViewOf(tensor);
  const std::size_t c = view.rank - 3;
  const View own = view;
  view.rank = c + 1;
  view.Append(factor, own.strides[c + 1]);
  view.Append(factor, own.strides[c + 2]);
  view.Append(own.sizes[c + 1] / factor, own.strides[c + 1] * factor);
  view.Append(own.sizes[c + 2] / factor, own.strides[c + 2] * factor);
  return view;
}

bool IsSound(const Tensor& self, std::int64_t factor, const Tensor& out) {
  return self.dim() >= 3 && factor > 0 && factor < 1 << 15 &&
         self.scalar_type() == out.scalar_type() && HasData(self);
}

}  // namespace

Tensor& pixel_shuffle_out(KernelRuntimeContext& context, const Tensor& self, int64_t upscale_factor,
                          Tensor& out) {
  Shape shape;
  bool sound = IsSound(self, upscale_factor, out);
  if (sound) {
    const auto c = static_cast<std::size_t>(self.dim()) - 3;
    const std::int64_t square = upscale_factor * upscale_factor;
    sound = self.sizes()[c] % square == 0;
    for (std::size_t d = 0; sound && d < c; ++d) sound = shape.Append(self.sizes()[d]);
    sound = sound && shape.Append(self.sizes()[c] / square) &&
            shape.Append(self.sizes()[c + 1] * upscale_factor) &&
            shape.Append(self.sizes()[c + 2] * upscale_factor) && Resize(shape, out);
  }
  if (!sound) {
    Refuse(context);
    return out;
  }
  const auto factor = static_cast<SizesType>(upscale_factor);
  Copy(FromChannels(self, factor), FromPixels(out, factor));
  return out;
}

Tensor& pixel_unshuffle_out(KernelRuntimeContext& context, const Tensor& self,
                            int64_t downscale_factor, Tensor& out) {
  Shape shape;
  bool sound = IsSound(self, downscale_factor, out);
  if (sound) {
    const auto c = static_cast<std::size_t>(self.dim()) - 3;
    sound =
        self.sizes()[c + 1] % downscale_factor == 0 && self.sizes()[c + 2] % downscale_factor == 0;
    for (std::size_t d = 0; sound && d < c; ++d) sound = shape.Append(self.sizes()[d]);
    sound = sound && shape.Append(self.sizes()[c] * downscale_factor * downscale_factor) &&
            shape.Append(self.sizes()[c + 1] / downscale_factor) &&
            shape.Append(self.sizes()[c + 2] / downscale_factor) && Resize(shape, out);
  }
  if (!sound) {
    Refuse(context);
    return out;
  }
  const auto factor = static_cast<SizesType>(downscale_factor);
  Copy(FromPixels(self, factor), FromChannels(out, factor));
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
