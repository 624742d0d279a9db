// SPDX-License-Identifier: Apache-2.0
//
// cumsum.out
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/accumulate.h"
#include "pilotlight/kernels/axes.h"
#include "pilotlight/kernels/dtype.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

template <typename In, typename Out, typename Wide>
void SumLine(const In* in, Out* out, const Lines& lines) {
  Wide sum = 0;
  for (ssize_t i = 0; i < lines.in_size; ++i) {
    sum = Plus(sum, Convert<Wide>(in[i * lines.in_stride]));
    out[i * lines.out_stride] = Convert<Out>(sum);
  }
}

}  // namespace

Tensor& cumsum_out(KernelRuntimeContext& context, const Tensor& self, int64_t dim,
                   std::optional<ScalarType> dtype, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::cumsum.out");
  std::size_t along = 0;
  if (dtype.value_or(out.scalar_type()) != out.scalar_type() ||
      !NormaliseDim(dim, static_cast<std::size_t>(self.dim()), along) || !HasData(self) ||
      !Contains(kDtypes, self.scalar_type()) || !Contains(kDtypes, out.scalar_type()) ||
      !Resize(ShapeOf(self), out)) {
    Refuse(context);
    return out;
  }
  const Lines lines = LinesAlong(along, self, out);
  WithDtype<kDtypes>(self.scalar_type(), [&](auto in) {
    WithDtype<kDtypes>(out.scalar_type(), [&](auto to) {
      using In = decltype(in);
      using Out = decltype(to);
      using Wide = std::conditional_t<std::is_integral_v<Out>, std::int64_t, double>;
      ForEachPoint(lines.start, [&](ssize_t from, ssize_t at) {
        SumLine<In, Out, Wide>(self.const_data_ptr<In>() + from, out.mutable_data_ptr<Out>() + at,
                               lines);
      });
    });
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
