// SPDX-License-Identifier: Apache-2.0
//
// Calls every primitive operator of the ExecuTorch runtime that it is linked with, on every
// combination of some values, and prints one line per call with the result. Linked with our runtime
// and with the wheel's; test_primitives.py compares the lines. The calls run in child processes,
// because the wheel's operators abort on some arguments.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/runtime.h>

#ifdef REGISTER_OPERATORS
extern "C" void pilotlight_register_operators(void);
#endif

namespace {

using namespace executorch::runtime;  // NOLINT: this whole file is about it
using etensor::ScalarType;
using etensor::Tensor;
using etensor::TensorImpl;

constexpr std::size_t kMemoryBytes = 4096;

// A tensor with memory of its own, or without memory.
struct Example {
  Example(std::vector<std::int32_t> shape, ScalarType type, bool dynamic, bool has_memory,
          std::vector<std::uint8_t> dim_order = {})
      : sizes(std::move(shape)), order(std::move(dim_order)), strides(sizes.size()) {
    for (std::size_t i = order.size(); i < sizes.size(); ++i) {
      order.push_back(static_cast<std::uint8_t>(i));
    }
    std::int32_t stride = 1;
    for (std::size_t i = sizes.size(); i > 0; --i) {
      strides[order[i - 1]] = stride;
      stride *= sizes[order[i - 1]];
    }
    memory.resize(has_memory ? kMemoryBytes : 0);
    for (std::size_t i = 0; i < memory.size(); ++i) {
      memory[i] = static_cast<std::uint8_t>(type == ScalarType::Bool ? i % 2 : i * 7 + 3);
    }
    impl = std::make_unique<TensorImpl>(
        type, static_cast<ssize_t>(sizes.size()), sizes.data(),
        has_memory ? memory.data() : nullptr, order.data(), strides.data(),
        dynamic ? TensorShapeDynamism::DYNAMIC_BOUND : TensorShapeDynamism::STATIC);
  }
  EValue Value() const { return EValue(Tensor(impl.get())); }

  std::vector<std::int32_t> sizes;
  std::vector<std::uint8_t> order;
  std::vector<std::int32_t> strides;
  std::vector<std::uint8_t> memory;
  std::unique_ptr<TensorImpl> impl;
};

std::string Show(const EValue& value) {
  char text[64] = "other";
  if (value.isNone()) return "none";
  if (value.isInt()) std::snprintf(text, sizeof(text), "int %" PRId64, value.toInt());
  if (value.isDouble()) std::snprintf(text, sizeof(text), "double %.17g", value.toDouble());
  if (value.isBool()) std::snprintf(text, sizeof(text), "bool %d", value.toBool());
  if (!value.isTensor())
    return value.isDouble() && value.toDouble() != value.toDouble() ? "nan" : text;
  const Tensor& tensor = value.toTensor();
  std::string shown = "tensor";
  for (const std::int32_t size : tensor.sizes()) shown += " " + std::to_string(size);
  shown += " strides";
  for (const std::int32_t stride : tensor.strides()) shown += " " + std::to_string(stride);
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
  std::uint32_t hash = 2166136261u;
  for (std::size_t i = 0; bytes != nullptr && i < tensor.nbytes(); ++i) {
    hash = (hash ^ bytes[i]) * 16777619u;
  }
  return shown + (bytes == nullptr ? " null" : " " + std::to_string(hash));
}

// The calls are numbered. A child process makes the calls one after another and stores here how
// many it has begun. If a call ends the process, the next child continues after that call.
std::size_t* begun;
std::size_t call_number;

void Call(const char* name, std::vector<EValue> values, const std::string& label = "") {
  if (call_number++ < *begun) return;
  std::printf("%s%s(", label.c_str(), name);
  for (const EValue& value : values) std::printf("%s, ", Show(value).c_str());
  std::printf(") = ");
  std::fflush(stdout);
  *begun = call_number;
  const Result<OpFunction> kernel = get_op_function_from_registry(name, {});
  if (!kernel.ok()) {
    std::printf("missing\n");
    return;
  }
  std::vector<EValue*> stack;
  for (EValue& value : values) stack.push_back(&value);
  KernelRuntimeContext context;
  (*kernel)(context, {stack.data(), stack.size()});
  if (context.failure_state() != Error::Ok) {
    std::printf("error 0x%x\n", static_cast<unsigned>(context.failure_state()));
    return;
  }
  for (const EValue& value : values) {
    if (&value == &values.back() || value.isTensor()) std::printf("%s; ", Show(value).c_str());
  }
  std::printf("\n");
}

void CallScalars() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<EValue> values = {EValue(), EValue(true), EValue(false)};
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{7}, std::int64_t{-7}, std::int64_t{2}, std::int64_t{-1},
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    values.emplace_back(value);
  }
  for (const double value : {0.0, -0.0, 2.5, -2.5, 1.5, 1e300, kNan, kInfinity}) {
    values.emplace_back(value);
  }
  for (const char* name :
       {"executorch_prim::add.Scalar", "executorch_prim::sub.Scalar", "executorch_prim::mul.Scalar",
        "executorch_prim::floordiv.Scalar", "executorch_prim::floordiv.int",
        "executorch_prim::truediv.Scalar", "executorch_prim::mod.Scalar",
        "executorch_prim::mod.int", "executorch_prim::eq.Scalar", "executorch_prim::gt.Scalar",
        "executorch_prim::lt.Scalar", "executorch_prim::ge.Scalar", "executorch_prim::le.Scalar",
        "executorch_prim::sym_max.Scalar", "executorch_prim::sym_min.Scalar"}) {
    for (const EValue& a : values) {
      for (const EValue& b : values) Call(name, {a, b, EValue()});
    }
    Call(name, {values[4], values[6]});
    Call(name, {values[4], values[6], EValue(), EValue()});
    Call(name, {values[4], values[6], EValue(1.0)});
  }
  for (const char* name : {"executorch_prim::neg.Scalar", "executorch_prim::ceil.Scalar",
                           "executorch_prim::round.Scalar", "executorch_prim::trunc.Scalar",
                           "executorch_prim::sym_float.Scalar", "executorch_prim::sym_int.Scalar",
                           "executorch_prim::sym_not.Scalar"}) {
    for (const EValue& value : values) Call(name, {value, EValue()});
    Call(name, {values[4]});
    Call(name, {values[4], EValue(), EValue()});
  }
  for (const EValue& condition : values) {
    for (const EValue& chosen : values) {
      Call("executorch_prim::sym_ite.Scalar", {condition, chosen, values[12], EValue()});
      Call("executorch_prim::sym_ite.Scalar", {condition, values[4], chosen, EValue()});
    }
  }
  Call("executorch_prim::sym_ite.Scalar", {values[1], values[4], values[6]});
}

void CallTensors() {
  const Example tensor({3, 4}, ScalarType::Long, false, true);
  const EValue none;
  const EValue number(std::int64_t{7});
  for (int dimension = -3; dimension <= 3; ++dimension) {
    Call("aten::sym_size.int", {tensor.Value(), EValue(std::int64_t{dimension}), none});
  }
  Call("aten::sym_size.int", {tensor.Value(), EValue(0.5), none});
  Call("aten::sym_size.int", {number, number, none});
  Call("aten::sym_size.int", {tensor.Value(), number});
  for (const char* name : {"aten::sym_numel", "aten::_local_scalar_dense"}) {
    Call(name, {tensor.Value(), none});
    Call(name, {number, none});
    Call(name, {tensor.Value()});
    Call(name, {Example({0, 4}, ScalarType::Float, false, true).Value(), none});
    Call(name, {Example({2}, ScalarType::Float, false, false).Value(), none});
    for (int type = 0; type < static_cast<int>(ScalarType::NumOptions); ++type) {
      if (type == static_cast<int>(ScalarType::Undefined)) continue;
      Call(name, {Example({2}, static_cast<ScalarType>(type), false, true).Value(), none});
    }
  }

  const char* copy = "executorch_prim::et_copy_index.tensor";
  for (const bool dynamic : {false, true}) {
    for (const std::int64_t index : {-1, 0, 1, 2, 3, 100}) {
      const Example to({3, 4}, ScalarType::Int, dynamic, true);
      Call(copy, {to.Value(), Example({4}, ScalarType::Int, false, true).Value(), EValue(index)});
    }
    for (const std::vector<std::int32_t>& shape :
         {std::vector<std::int32_t>{5}, {2, 2}, {2}, {}, {0}}) {
      const Example to({3, 4}, ScalarType::Int, dynamic, true);
      Call(copy, {to.Value(), Example(shape, ScalarType::Int, false, true).Value(),
                  EValue(std::int64_t{0})});
    }
  }
  // Each call gets a target of its own, because a call may change it.
  const auto target = [] {
    return Example({3, 2, 2, 2}, ScalarType::Int, true, true, {0, 2, 3, 1});
  };
  const Example from({2, 2, 2}, ScalarType::Int, false, true);
  const Example to_1 = target();
  Call(copy, {to_1.Value(), from.Value(), EValue(std::int64_t{1})});
  const Example to_2 = target();
  Call(copy, {to_2.Value(), from.Value()});
  const Example to_3 = target();
  Call(copy, {to_3.Value(), from.Value(), EValue(1.0)});
  Call(copy, {number, from.Value(), number});
  const Example bare({3, 2, 2, 2}, ScalarType::Int, true, false);
  Call(copy, {bare.Value(), from.Value(), EValue(std::int64_t{0})});
  // Rows of one byte, and rows without bytes.
  const Example bytes({3, 1}, ScalarType::Byte, true, true);
  Call(copy, {bytes.Value(), Example({1}, ScalarType::Byte, false, true).Value(),
              EValue(std::int64_t{1})});
  const Example nothing({3, 0}, ScalarType::Byte, true, true);
  Call(copy, {nothing.Value(), Example({0}, ScalarType::Byte, false, true).Value(),
              EValue(std::int64_t{1})});
}

void CallView(const Example& self, const std::vector<std::int64_t>& size, const Example& out) {
  std::vector<EValue> items;
  for (const std::int64_t item : size) items.emplace_back(item);
  std::vector<EValue*> wrapped;
  for (EValue& item : items) wrapped.push_back(&item);
  std::vector<std::int64_t> unwrapped(size.size());
  BoxedEvalueList<std::int64_t> list(wrapped.data(), unwrapped.data(),
                                     static_cast<int>(size.size()));
  std::string label = "to";
  for (const std::int64_t item : size) label += " " + std::to_string(item);
  Call("executorch_prim::et_view.default", {self.Value(), EValue(&list), out.Value()},
       label + ": ");
}

void CallViews() {
  const Example self({3, 4}, ScalarType::Int, false, true);
  const std::vector<std::vector<std::int64_t>> sizes = {
      {12}, {-1}, {2, 6}, {2, -1}, {-1, -1}, {-2, 6}, {2, 5}, {5, -1}, {0, -1}, {1, 2, 6}, {24}};
  for (const std::vector<std::int64_t>& size : sizes) {
    for (const bool dynamic : {false, true}) {
      CallView(self, size, Example({12}, ScalarType::Int, dynamic, false));
      CallView(self, size, Example({2, 6}, ScalarType::Int, dynamic, false));
      CallView(self, size, Example({6}, ScalarType::Int, dynamic, true));
      CallView(self, size, Example({1, 2, 6}, ScalarType::Int, dynamic, true));
    }
  }
  CallView(self, {12}, Example({12}, ScalarType::Float, false, false));
  CallView(self, {3, 4}, Example({3, 4}, ScalarType::Int, true, false, {1, 0}));
  CallView(Example({3, 4}, ScalarType::Int, false, false), {12},
           Example({12}, ScalarType::Int, false, false));
  CallView(Example({0, 4}, ScalarType::Int, false, true), {0, 3},
           Example({0, 3}, ScalarType::Int, true, false));
  CallView(Example({0, 4}, ScalarType::Int, false, true), {0, -1},
           Example({0, 3}, ScalarType::Int, true, false));
  CallView(Example({}, ScalarType::Int, false, true), {1},
           Example({1}, ScalarType::Int, false, false));
  CallView(Example({1, 2, 2, 3}, ScalarType::Int, false, true, {0, 2, 3, 1}), {1, 2, 6},
           Example({1, 2, 6}, ScalarType::Int, true, false));
  const EValue number(std::int64_t{3});
  Call("executorch_prim::et_view.default", {self.Value(), number, self.Value()});
  Call("executorch_prim::et_view.default", {number, number, self.Value()});
  Call("executorch_prim::et_view.default", {self.Value(), number});
}

}  // namespace

int main() {
  runtime_init();
#ifdef REGISTER_OPERATORS
  pilotlight_register_operators();
#endif
  void* const shared =
      mmap(nullptr, sizeof(*begun), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 1;
  begun = new (shared) std::size_t(0);
  int status = 0;
  do {
    const pid_t child = fork();
    if (child == 0) {
      CallScalars();
      CallTensors();
      CallViews();
      std::fflush(stdout);
      _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    if (WIFSIGNALED(status)) {
      std::printf("crashed\n");
      std::fflush(stdout);
    }
  } while (WIFSIGNALED(status));
  return WEXITSTATUS(status);
}
