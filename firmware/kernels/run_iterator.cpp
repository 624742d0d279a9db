// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/kernels/run_iterator.h"

#include <algorithm>

namespace pilotlight::kernels {
namespace {

// The memory of an operand.
struct Source {
  const std::byte* data;
  LoadFunction load;   // Copies a run to the buffer. Null: the function reads in place.
  bool same;           // One number for all elements. The buffer holds it from the start.
  std::int32_t bytes;  // Per element.
};

// Room for one run of each operand, then for one run of the output, in the compute type.
using Buffers = std::byte (&)[kMaxOperands + 1][kRun * 8];

// Walks the memory of all operands and of the output, and calls the function once per run.
//
// Lifecycle: BindSources() -> CoalesceLoops() -> ChooseRunLength() -> ForEachRun().
class RunIterator {
 public:
  // The buffers are not members: load functions get their address, and the compiler would have to
  // reload all members after each call.
  RunIterator(const ComputeType& type, const Operands& operands, Tensor& out, Buffers buffers)
      : type_(type), operands_(operands), out_(out), buffers_(buffers) {}

  // Chooses load and store functions and loads single numbers. False if the image has no function
  // for a dtype.
  bool BindSources(ScalarType dtype);

  // Makes the nest of loops. Precondition: `out` has the shape `shape` and at least one element.
  // Drops loops with one iteration. Joins two adjacent loops if no array has a gap between them.
  void CoalesceLoops(const Shape& shape);
  // A run is the whole innermost loop if no array needs its buffer.
  void ChooseRunLength();
  void ForEachRun(Function function);

 private:
  void InnerLoop(Function function);
  // Moves all arrays to the next index of the outer loops. The last loop counts fastest. False
  // after the last index.
  bool NextOuterIndex();

  const ComputeType& type_;
  const Operands operands_;
  Tensor& out_;
  Buffers buffers_;

  std::size_t run_length_ = 0;  // Elements per call of the function.
  Source sources_[kMaxOperands] = {};

  // The nest of loops. A row of strides has one column per operand, then one for the output.
  std::size_t rank_ = 0;
  SizesType sizes_[kMaxRank];
  std::int32_t strides_[kMaxRank][kMaxOperands + 1];
  SizesType index_[kMaxRank] = {};

  // The output.
  StoreFunction store_ = nullptr;  // Converts from a buffer. Null: the function writes in place.
  std::byte* target_ = nullptr;
  std::int32_t target_bytes_ = 0;  // Per element.
};

bool RunIterator::BindSources(ScalarType dtype) {
  for (std::size_t i = 0; i < operands_.count; ++i) {
    Source& source = sources_[i];
    const Tensor* tensor = operands_.items[i].tensor();
    source.same = tensor == nullptr || tensor->numel() == 1;
    if (tensor == nullptr) {
      type_.repeat(operands_.items[i], buffers_[i]);
      continue;
    }
    source.data = static_cast<const std::byte*>(tensor->const_data_ptr());
    source.bytes = static_cast<std::int32_t>(tensor->element_size());
    source.load = type_.load_for(tensor->scalar_type(), dtype == ScalarType::Half);
    if (source.load == nullptr) return false;
    if (source.same) source.load(source.data, 0, kRun, buffers_[i]);
  }
  store_ = type_.store_for(out_.scalar_type());
  return store_ != nullptr;
}

// The tensor's stride in dimension `d` of `shape`, in elements. 0 if the tensor is repeated there.
std::int32_t StrideAt(const Tensor& tensor, const Shape& shape, std::size_t d) {
  const auto missing = shape.rank - static_cast<std::size_t>(tensor.dim());
  const bool repeated = d < missing || tensor.sizes()[d - missing] == 1;
  return repeated ? 0 : tensor.strides()[d - missing];
}

void RunIterator::CoalesceLoops(const Shape& shape) {
  for (std::size_t d = 0; d < shape.rank; ++d) {
    const SizesType size = shape.sizes[d];
    if (size == 1) continue;
    std::int32_t own[kMaxOperands + 1] = {};
    bool joins = rank_ > 0;
    for (std::size_t i = 0; i <= operands_.count; ++i) {
      const Tensor* tensor = i == operands_.count ? &out_ : operands_.items[i].tensor();
      if (tensor != nullptr) own[i] = StrideAt(*tensor, shape, d);
      joins = joins && strides_[rank_ - 1][i] == own[i] * size;
    }
    if (joins) {
      sizes_[rank_ - 1] *= size;
    } else {
      sizes_[rank_++] = size;
    }
    std::copy_n(own, kMaxOperands + 1, strides_[rank_ - 1]);
  }
  if (rank_ == 0) {
    sizes_[rank_] = 1;
    std::fill_n(strides_[rank_++], kMaxOperands + 1, 0);
  }
}

void RunIterator::ChooseRunLength() {
  const std::size_t inner = rank_ - 1;
  const auto total = static_cast<std::size_t>(sizes_[inner]);
  std::size_t length = total;
  for (std::size_t i = 0; i < operands_.count; ++i) {
    const Tensor* tensor = operands_.items[i].tensor();
    if (!sources_[i].same && tensor->scalar_type() == type_.dtype && strides_[inner][i] == 1) {
      sources_[i].load = nullptr;
    } else {
      length = std::min(length, kRun);
    }
  }
  if (out_.scalar_type() == type_.dtype && (strides_[inner][operands_.count] == 1 || total <= 1)) {
    store_ = nullptr;
  } else {
    length = std::min(length, kRun);
  }
  run_length_ = length;
}

void RunIterator::ForEachRun(Function function) {
  target_ = static_cast<std::byte*>(out_.mutable_data_ptr());
  target_bytes_ = static_cast<std::int32_t>(out_.element_size());
  for (bool more = true; more; more = NextOuterIndex()) InnerLoop(function);
}

void RunIterator::InnerLoop(Function function) {
  const std::size_t inner = rank_ - 1;
  const auto total = static_cast<std::size_t>(sizes_[inner]);
  for (std::size_t done = 0; done < total; done += run_length_) {
    const std::size_t now = std::min(run_length_, total - done);
    const void* in[kMaxOperands];
    for (std::size_t i = 0; i < operands_.count; ++i) {
      const Source& source = sources_[i];
      in[i] = buffers_[i];
      if (source.same) continue;
      const std::byte* at =
          source.data + static_cast<std::ptrdiff_t>(done) * strides_[inner][i] * source.bytes;
      if (source.load == nullptr) {
        in[i] = at;
      } else {
        source.load(at, strides_[inner][i], now, buffers_[i]);
      }
    }
    std::byte* to = target_ + static_cast<std::ptrdiff_t>(done) * strides_[inner][operands_.count] *
                                  target_bytes_;
    std::byte* const result = store_ != nullptr ? buffers_[operands_.count] : to;
    function(in, result, now);
    if (store_ != nullptr) store_(result, now, to, strides_[inner][operands_.count]);
  }
}

bool RunIterator::NextOuterIndex() {
  for (std::size_t d = rank_ - 1; d > 0; --d) {
    const bool again = ++index_[d - 1] < sizes_[d - 1];
    const std::ptrdiff_t turns = again ? 1 : 1 - std::ptrdiff_t{sizes_[d - 1]};
    for (std::size_t i = 0; i < operands_.count; ++i) {
      if (!sources_[i].same) sources_[i].data += turns * strides_[d - 1][i] * sources_[i].bytes;
    }
    target_ += turns * strides_[d - 1][operands_.count] * target_bytes_;
    if (again) return true;
    index_[d - 1] = 0;
  }
  return false;
}

// Broadcasts the shapes of all tensors. False if the shapes do not match, or if a tensor has no
// memory.
bool BroadcastShapes(const Operands& operands, Shape& shape) {
  for (std::size_t i = 0; i < operands.count; ++i) {
    const Tensor* tensor = operands.items[i].tensor();
    if (tensor != nullptr && !(Broadcast(shape, *tensor) && HasData(*tensor))) return false;
  }
  return true;
}

}  // namespace

bool ComputeRuns(const ComputeType& type, KernelRuntimeContext& context, Function function,
                 ScalarType dtype, const Operands& operands, Tensor& out) {
  Shape shape;
  alignas(8) std::byte buffers[kMaxOperands + 1][kRun * 8];
  RunIterator iterator(type, operands, out, buffers);
  if (!BroadcastShapes(operands, shape) || !iterator.BindSources(dtype) || !Resize(shape, out)) {
    return Refuse(context);
  }
  if (out.numel() == 0) return true;
  iterator.CoalesceLoops(shape);
  iterator.ChooseRunLength();
  iterator.ForEachRun(function);
  return true;
}

}  // namespace pilotlight::kernels
