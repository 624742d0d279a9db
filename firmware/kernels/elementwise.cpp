// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/elementwise.h"

#include <algorithm>
#include <type_traits>

namespace pilotlight::kernels {
namespace {

// The length of a run. It is long enough to make the cost of the calls per run small, and short
// enough for the stack: 5 buffers of 32 elements of 8 bytes take 1,280 bytes.
constexpr std::size_t kRun = 32;

using Load = void (*)(const std::byte* from, std::int32_t stride, std::size_t count, void* to);
using Store = void (*)(const void* from, std::size_t count, std::byte* to, std::int32_t stride);

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

// A compute type, as data for the driver, which has the same code for all compute types.
struct ComputeType {
  ScalarType dtype;
  Load (*load_for)(ScalarType from, bool as_half);  // Null if the image has no such dtype.
  Store (*store_for)(ScalarType to);
  void (*repeat)(const Operand& number, void* buffer);
};

template <typename C>
Load LoadFor(ScalarType from, bool as_half) {
  Load load = nullptr;
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
Store StoreFor(ScalarType to) {
  Store store = nullptr;
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

// The source of each array in a run.
struct Source {
  const std::byte* data;
  Load load;           // Null: used in place.
  bool same;           // One number for all elements, loaded once.
  std::int32_t bytes;  // Per element.
};

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

namespace {

bool ComputeIn(const ComputeType& type, KernelRuntimeContext& context, Function function,
               ScalarType dtype, const Operands& operands, Tensor& out) {
  Shape shape;
  bool sound = true;
  for (std::size_t i = 0; i < operands.count; ++i) {
    const Tensor* tensor = operands.items[i].tensor();
    sound = sound && (tensor == nullptr || (Broadcast(shape, *tensor) && HasData(*tensor)));
  }
  const Store store = type.store_for(out.scalar_type());
  alignas(8) std::byte buffers[kMaxOperands + 1][kRun * 8];
  Source sources[kMaxOperands] = {};
  for (std::size_t i = 0; sound && i < operands.count; ++i) {
    Source& source = sources[i];
    const Tensor* tensor = operands.items[i].tensor();
    source.same = tensor == nullptr || tensor->numel() == 1;
    if (tensor == nullptr) {
      type.repeat(operands.items[i], buffers[i]);
      continue;
    }
    source.data = static_cast<const std::byte*>(tensor->const_data_ptr());
    source.bytes = static_cast<std::int32_t>(tensor->element_size());
    source.load = type.load_for(tensor->scalar_type(), dtype == ScalarType::Half);
    sound = source.load != nullptr;
    if (sound && source.same) source.load(source.data, 0, kRun, buffers[i]);
  }
  if (!sound || store == nullptr || !Resize(shape, out)) return Refuse(context);
  if (out.numel() == 0) return true;

  // One nest of loops over all operands and the output. Adjacent loops are joined if no array has a
  // gap between them. The last column of strides belongs to the output.
  const std::size_t count = operands.count;
  SizesType sizes[kMaxRank];
  std::int32_t strides[kMaxRank][kMaxOperands + 1];
  std::size_t rank = 0;
  for (std::size_t d = 0; d < shape.rank; ++d) {
    const SizesType size = shape.sizes[d];
    if (size == 1) continue;
    std::int32_t own[kMaxOperands + 1] = {};
    bool joins = rank > 0;
    for (std::size_t i = 0; i <= count; ++i) {
      const Tensor* tensor = i == count ? &out : operands.items[i].tensor();
      if (tensor != nullptr) {
        const auto missing = shape.rank - static_cast<std::size_t>(tensor->dim());
        const bool repeated = d < missing || tensor->sizes()[d - missing] == 1;
        own[i] = repeated ? 0 : tensor->strides()[d - missing];
      }
      joins = joins && strides[rank - 1][i] == own[i] * size;
    }
    if (joins) {
      sizes[rank - 1] *= size;
    } else {
      sizes[rank++] = size;
    }
    std::copy_n(own, kMaxOperands + 1, strides[rank - 1]);
  }
  if (rank == 0) {
    sizes[rank] = 1;
    std::fill_n(strides[rank++], kMaxOperands + 1, 0);
  }

  const std::size_t inner = rank - 1;
  const auto total = static_cast<std::size_t>(sizes[inner]);
  std::size_t limit = total;  // Elements per call of the function.
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor* tensor = operands.items[i].tensor();
    if (sources[i].same) {
      limit = std::min(limit, kRun);
    } else if (tensor->scalar_type() == type.dtype && strides[inner][i] == 1) {
      sources[i].load = nullptr;
    } else {
      limit = std::min(limit, kRun);
    }
  }
  const bool stores = out.scalar_type() != type.dtype || (strides[inner][count] != 1 && total > 1);
  if (stores) limit = std::min(limit, kRun);

  auto* target = static_cast<std::byte*>(out.mutable_data_ptr());
  const auto out_bytes = static_cast<std::int32_t>(out.element_size());
  SizesType index[kMaxRank] = {};
  for (;;) {
    for (std::size_t done = 0; done < total; done += limit) {
      const std::size_t now = std::min(limit, total - done);
      const void* in[kMaxOperands];
      for (std::size_t i = 0; i < count; ++i) {
        const Source& source = sources[i];
        in[i] = buffers[i];
        if (source.same) continue;
        const std::byte* at =
            source.data + static_cast<std::ptrdiff_t>(done) * strides[inner][i] * source.bytes;
        if (source.load == nullptr) {
          in[i] = at;
        } else {
          source.load(at, strides[inner][i], now, buffers[i]);
        }
      }
      std::byte* to =
          target + static_cast<std::ptrdiff_t>(done) * strides[inner][count] * out_bytes;
      std::byte* const result = stores ? buffers[count] : to;
      function(in, result, now);
      if (stores) store(result, now, to, strides[inner][count]);
    }
    std::size_t d = inner;
    for (;; --d) {
      if (d == 0) return true;
      const bool again = ++index[d - 1] < sizes[d - 1];
      const std::ptrdiff_t turns = again ? 1 : 1 - std::ptrdiff_t{sizes[d - 1]};
      for (std::size_t i = 0; i < count; ++i) {
        if (!sources[i].same) sources[i].data += turns * strides[d - 1][i] * sources[i].bytes;
      }
      target += turns * strides[d - 1][count] * out_bytes;
      if (again) break;
      index[d - 1] = 0;
    }
  }
}

}  // namespace

template <typename C>
bool Compute(KernelRuntimeContext& context, Function function, ScalarType dtype,
             const Operands& operands, Tensor& out) {
  return ComputeIn(kComputeType<C>, context, function, dtype, operands, out);
}

template bool Compute<float>(KernelRuntimeContext&, Function, ScalarType, const Operands&, Tensor&);
template bool Compute<double>(KernelRuntimeContext&, Function, ScalarType, const Operands&,
                              Tensor&);
template bool Compute<std::int64_t>(KernelRuntimeContext&, Function, ScalarType, const Operands&,
                                    Tensor&);

}  // namespace pilotlight::kernels
