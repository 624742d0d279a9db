// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/elementwise.h"

#include <algorithm>
#include <type_traits>

#include "pilotlight/kernels/run_iterator.h"

namespace pilotlight::kernels {
namespace {

template <typename C, typename T>
void LoadRun(const std::byte* from, std::int32_t stride, std::size_t count, void* to) {
  // A bool's byte comes from a file and may have any value.
  using Stored = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
  const auto* source = reinterpret_cast<const Stored*>(from);
  for (std::size_t i = 0; i < count; ++i) {
    static_cast<C*>(to)[i] = Convert<C>(Convert<T>(*source));
    source += stride;
  }
}

template <typename T>
void LoadRunAsHalf(const std::byte* from, std::int32_t stride, std::size_t count, void* to) {
  LoadRun<float, T>(from, stride, count, to);
  auto* loaded = static_cast<float*>(to);
  for (std::size_t i = 0; i < count; ++i) loaded[i] = static_cast<float>(Half(loaded[i]));
}

template <typename C, typename T>
void StoreRun(const void* from, std::size_t count, std::byte* to, std::int32_t stride) {
  auto* target = reinterpret_cast<T*>(to);
  for (std::size_t i = 0; i < count; ++i) {
    *target = Convert<T>(static_cast<const C*>(from)[i]);
    target += stride;
  }
}

// Floats are loaded only if the compute type is a floating-point type.
template <typename C>
constexpr DtypeSet kLoadable =
    SelectedByAny() & (std::is_same_v<C, std::int64_t> ? kIntegral : kAnyDtype);

template <typename C>
LoadFunction LoadFor(ScalarType from, bool as_half) {
  LoadFunction load = nullptr;
  WithDtype<kLoadable<C>>(from, [&](auto zero) {
    using T = decltype(zero);
    load = LoadRun<C, T>;
    // An integer is first rounded to half, which may have fewer digits than the integer.
    if constexpr (std::is_same_v<C, float> && std::is_integral_v<T> &&
                  Contains(SelectedByAny(), ScalarType::Half)) {
      if (as_half) load = LoadRunAsHalf<T>;
    }
  });
  return load;
}

template <typename C>
StoreFunction StoreFor(ScalarType to) {
  StoreFunction store = nullptr;
  WithDtype<SelectedByAny()>(to, [&](auto zero) { store = StoreRun<C, decltype(zero)>; });
  return store;
}

template <typename C>
void Repeat(const Operand& number, void* buffer) {
  std::fill_n(static_cast<C*>(buffer), kRun, number.Value<C>());
}

template <typename C>
constexpr ComputeType kComputeType = {std::is_same_v<C, float>    ? ScalarType::Float
                                      : std::is_same_v<C, double> ? ScalarType::Double
                                                                  : ScalarType::Long,
                                      LoadFor<C>, StoreFor<C>, Repeat<C>};

int Kind(ScalarType dtype) {
  if (::executorch::runtime::isFloatingType(dtype)) return 2;
  return dtype == ScalarType::Bool ? 0 : 1;
}

// Among the dtypes supported here, a higher number means a wider dtype. The exceptions are bool,
// and uint8 with int8.
ScalarType Promote(ScalarType a, ScalarType b) {
  if (a == ScalarType::Bool) return b;
  if (b == ScalarType::Bool) return a;
  const ScalarType wider = std::max(a, b);
  return wider == ScalarType::Char && a != b ? ScalarType::Short : wider;
}

// The promoted dtype so far, if there is one.
struct Found {
  bool any = false;
  ScalarType dtype = ScalarType::Bool;

  void Add(ScalarType other) {
    dtype = any ? Promote(dtype, other) : other;
    any = true;
  }
  void AddLesser(const Found& lesser) {
    if (lesser.any && (!any || Kind(lesser.dtype) > Kind(dtype))) Add(lesser.dtype);
  }
};

ScalarType DtypeOf(const Operand& number) {
  if (number.is_bool()) return ScalarType::Bool;
  return number.is_integral() ? ScalarType::Long : ScalarType::Float;
}

}  // namespace

Operand::Operand(const Scalar& scalar)
    : is_integral_(scalar.isIntegral(/*includeBool=*/true)), is_bool_(scalar.isBoolean()) {
  if (is_bool_) {
    integer_ = scalar.to<bool>() ? 1 : 0;
  } else if (is_integral_) {
    integer_ = scalar.to<std::int64_t>();
  } else {
    number_ = scalar.to<double>();
  }
}

ScalarType ResultType(const Operands& operands) {
  Found tensors;
  Found zero_dim;
  Found numbers;
  for (std::size_t i = 0; i < operands.count; ++i) {
    const Operand& operand = operands.items[i];
    if (operand.tensor() == nullptr) {
      numbers.Add(DtypeOf(operand));
    } else if (operand.tensor()->dim() > 0) {
      tensors.Add(operand.tensor()->scalar_type());
    } else {
      zero_dim.Add(operand.tensor()->scalar_type());
    }
  }
  zero_dim.AddLesser(numbers);
  tensors.AddLesser(zero_dim);
  return tensors.dtype;
}

ScalarType FloatResultType(const Operands& operands) {
  const ScalarType dtype = ResultType(operands);
  return ::executorch::runtime::isFloatingType(dtype) ? dtype : ScalarType::Float;
}

bool CanCast(ScalarType from, ScalarType to) { return Kind(from) <= Kind(to); }

template <typename C>
bool Compute(KernelRuntimeContext& context, Function function, ScalarType dtype,
             const Operands& operands, Tensor& out) {
  return ComputeRuns(kComputeType<C>, context, function, dtype, operands, out);
}

template bool Compute<float>(KernelRuntimeContext&, Function, ScalarType, const Operands&, Tensor&);
template bool Compute<double>(KernelRuntimeContext&, Function, ScalarType, const Operands&,
                              Tensor&);
template bool Compute<std::int64_t>(KernelRuntimeContext&, Function, ScalarType, const Operands&,
                                    Tensor&);

}  // namespace pilotlight::kernels
