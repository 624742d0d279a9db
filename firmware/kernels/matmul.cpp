// SPDX-License-Identifier: Apache-2.0
//
// mm.out, bmm.out, addmm.out, linear.out.
#include <cstdint>
#include <optional>
#include <type_traits>

#include <executorch/runtime/kernel/kernel_includes.h>

#include "pilotlight/kernels/accumulate.h"
#include "pilotlight/kernels/dtype.h"
#include "pilotlight/kernels/inner_loops.h"
#include "pilotlight/kernels/scalar.h"
#include "pilotlight/kernels/shape.h"

namespace torch {
namespace executor {
namespace native {
namespace {

using namespace pilotlight::kernels;  // NOLINT(google-build-using-namespace)

// A matrix in memory: its first element, and the strides to the next row and column.
template <typename T>
struct Matrix {
  T* data;
  ssize_t row;
  ssize_t column;

  T* Row(ssize_t i) const { return data + i * row; }
};

struct Extents {
  ssize_t rows;
  ssize_t inner;
  ssize_t columns;
};

// The last two dimensions. Every tensor here has at least two.
template <typename T>
Matrix<const T> InputMatrix(const Tensor& tensor) {
  const auto rank = static_cast<std::size_t>(tensor.dim());
  return {tensor.const_data_ptr<T>(), tensor.strides()[rank - 2], tensor.strides()[rank - 1]};
}

template <typename T>
Matrix<T> OutputMatrix(Tensor& tensor) {
  const auto rank = static_cast<std::size_t>(tensor.dim());
  return {tensor.mutable_data_ptr<T>(), tensor.strides()[rank - 2], tensor.strides()[rank - 1]};
}

// out = beta * addend + alpha * (a x b). A stride of 0 repeats the addend. If beta is 0, the addend
// is not read.
template <typename T, typename Factor>
void Multiply(Matrix<const T> a, Matrix<const T> b, Matrix<const T> addend, Factor beta,
              Factor alpha, Extents extents, Matrix<T> out) {
  constexpr bool kFast = std::is_same_v<T, float> || std::is_same_v<T, double>;
  for (ssize_t i = 0; i < extents.rows; ++i) {
    T* const to = out.Row(i);
    const T* const from = a.Row(i);
    for (ssize_t j = 0; j < extents.columns; ++j) {
      T& result = to[j * out.column];
      const Factor start = beta == Factor{}
                               ? Factor{}
                               : Times(beta, Convert<Factor>(addend.Row(i)[j * addend.column]));
      if constexpr (kFast) {
        if (b.column == 1) {
          result = static_cast<T>(start);
        } else {
          const T* const column = b.data + j * b.column;
          result = static_cast<T>(start + alpha * static_cast<Factor>(Dot(from, a.column, column,
                                                                          b.row, extents.inner)));
        }
      } else {
        Factor sum{};
        for (ssize_t k = 0; k < extents.inner; ++k) {
          sum = Plus(sum, Times(Convert<Factor>(from[k * a.column]),
                                Convert<Factor>(b.Row(k)[j * b.column])));
        }
        result = Convert<T>(Plus(start, Times(alpha, sum)));
      }
    }
    if constexpr (kFast) {
      // Rows of b are contiguous, so adding rows is faster than dot products with columns.
      for (ssize_t k = 0; k < extents.inner && b.column == 1; ++k) {
        AddScaled(to, out.column, b.Row(k), 1,
                  static_cast<T>(alpha * static_cast<Factor>(from[k * a.column])), extents.columns);
      }
    }
  }
}

// The type of alpha, beta and sums for dtype T.
template <typename T>
using FactorOf = std::conditional_t<std::is_integral_v<T>, std::int64_t, double>;

bool SameDtype(const Tensor& a, const Tensor& b, const Tensor& out) {
  return a.scalar_type() == out.scalar_type() && b.scalar_type() == out.scalar_type();
}

bool ResizeTo(std::initializer_list<ssize_t> sizes, Tensor& out) {
  Shape shape;
  for (const ssize_t size : sizes) shape.Append(size);
  return Resize(shape, out);
}

}  // namespace

Tensor& mm_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& mat2, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::mm.out") & kNumbers;
  const bool sound = SameDtype(self, mat2, out) && self.dim() == 2 && mat2.dim() == 2 &&
                     self.size(1) == mat2.size(0) && HasData(self) && HasData(mat2) &&
                     Contains(kDtypes, out.scalar_type()) &&
                     ResizeTo({self.size(0), mat2.size(1)}, out);
  if (!sound) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    Multiply<T, FactorOf<T>>(InputMatrix<T>(self), InputMatrix<T>(mat2), {nullptr, 0, 0}, 0, 1,
                             {self.size(0), self.size(1), mat2.size(1)}, OutputMatrix<T>(out));
  });
  return out;
}

Tensor& bmm_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& mat2,
                Tensor& out) {
  constexpr auto kDtypes = Selected("aten::bmm.out") & kNumbers;
  const bool sound = SameDtype(self, mat2, out) && self.dim() == 3 && mat2.dim() == 3 &&
                     self.size(0) == mat2.size(0) && self.size(2) == mat2.size(1) &&
                     HasData(self) && HasData(mat2) && Contains(kDtypes, out.scalar_type()) &&
                     ResizeTo({self.size(0), self.size(1), mat2.size(2)}, out);
  if (!sound) {
    Refuse(context);
    return out;
  }
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    Matrix<const T> a = InputMatrix<T>(self);
    Matrix<const T> b = InputMatrix<T>(mat2);
    Matrix<T> to = OutputMatrix<T>(out);
    for (ssize_t n = 0; n < self.size(0); ++n) {
      Multiply<T, FactorOf<T>>(a, b, {nullptr, 0, 0}, 0, 1,
                               {self.size(1), self.size(2), mat2.size(2)}, to);
      a.data += self.strides()[0];
      b.data += mat2.strides()[0];
      to.data += out.strides()[0];
    }
  });
  return out;
}

Tensor& addmm_out(KernelRuntimeContext& context, const Tensor& self, const Tensor& mat1,
                  const Tensor& mat2, const Scalar& beta, const Scalar& alpha, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::addmm.out") & kNumbers;
  bool sound = SameDtype(mat1, mat2, out) && self.scalar_type() == out.scalar_type() &&
               mat1.dim() == 2 && mat2.dim() == 2 && mat1.size(1) == mat2.size(0) &&
               HasData(self) && HasData(mat1) && HasData(mat2) &&
               Contains(kDtypes, out.scalar_type());
  if (sound) {
    // `self` may broadcast to the product's shape, but must not enlarge it.
    Shape product;
    product.Append(mat1.size(0));
    product.Append(mat2.size(1));
    Shape widened = product;
    sound = Broadcast(widened, self) && widened.rank == 2 && widened.sizes[0] == product.sizes[0] &&
            widened.sizes[1] == product.sizes[1] && Resize(product, out);
  }
  if (!sound) {
    Refuse(context);
    return out;
  }
  const ssize_t rank = self.dim();
  const auto last = static_cast<std::size_t>(rank) - 1;
  const ssize_t row = rank == 2 && self.size(0) > 1 ? self.strides()[0] : 0;
  const ssize_t column = rank >= 1 && self.size(rank - 1) > 1 ? self.strides()[last] : 0;
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    using Factor = FactorOf<T>;
    Multiply<T, Factor>(InputMatrix<T>(mat1), InputMatrix<T>(mat2),
                        {self.const_data_ptr<T>(), row, column}, ScalarAs<Factor>(beta),
                        ScalarAs<Factor>(alpha), {mat1.size(0), mat1.size(1), mat2.size(1)},
                        OutputMatrix<T>(out));
  });
  return out;
}

Tensor& linear_out(KernelRuntimeContext& context, const Tensor& input, const Tensor& weight,
                   const std::optional<Tensor>& bias, Tensor& out) {
  constexpr auto kDtypes = Selected("aten::linear.out") & kNumbers;
  bool sound = SameDtype(input, weight, out) && input.dim() >= 1 && weight.dim() == 2 &&
               input.size(input.dim() - 1) == weight.size(1) && HasData(input) && HasData(weight) &&
               tensor_is_default_dim_order(input) && tensor_is_default_dim_order(out) &&
               Contains(kDtypes, out.scalar_type());
  if (bias) {
    sound = sound && bias->scalar_type() == out.scalar_type() && bias->dim() == 1 &&
            bias->size(0) == weight.size(0) && HasData(*bias);
  }
  Shape shape = ShapeOf(input);
  if (sound) shape.sizes[shape.rank - 1] = static_cast<SizesType>(weight.size(0));
  if (!sound || !Resize(shape, out)) {
    Refuse(context);
    return out;
  }
  const ssize_t inner = weight.size(1);
  const ssize_t columns = weight.size(0);
  ssize_t rows = 1;
  for (ssize_t d = 0; d + 1 < input.dim(); ++d) rows *= input.size(d);
  WithDtype<kDtypes>(out.scalar_type(), [&](auto type) {
    using T = decltype(type);
    using Factor = FactorOf<T>;
    Matrix<const T> addend{bias ? bias->const_data_ptr<T>() : nullptr, 0, 1};
    const Matrix<const T> stored = InputMatrix<T>(weight);
    Multiply<T, Factor>({input.const_data_ptr<T>(), inner, 1},
                        {stored.data, stored.column, stored.row}, addend,
                        static_cast<Factor>(bias ? 1 : 0), 1, {rows, inner, columns},
                        {out.mutable_data_ptr<T>(), columns, 1});
  });
  return out;
}

}  // namespace native
}  // namespace executor
}  // namespace torch
