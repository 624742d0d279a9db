// SPDX-License-Identifier: Apache-2.0
#include "method_calls.h"

#include "test_tensor.h"
#include "transcript.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // step() is "experimental".

namespace conformance {
namespace {

using executorch::runtime::ArrayRef;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Method;
using executorch::runtime::MethodMeta;
using executorch::runtime::Result;
using executorch::runtime::Span;
using executorch::runtime::TensorShapeDynamism;
using executorch::runtime::etensor::Tensor;

constexpr std::size_t kOutputBytes = 16384;
constexpr int kMaxSteps = 60;

void SetAndPrint(Method& method, std::size_t index, const EValue& value, const char* what) {
  out << "set_input " << index << " " << what << " " << method.set_input(value, index) << "\n";
}

// The call comes before the line, because the call itself writes lines.
void Execute(Method& method, const char* what) {
  const Error error = method.execute();
  out << what << " " << error << "\n";
}

void TryWrongInputs(Method& method) {
  SetAndPrint(method, method.inputs_size(), EValue(std::int64_t{1}), "out of range");
  for (std::size_t i = 0; i < method.inputs_size(); ++i) {
    const EValue own = method.get_input(i);
    SetAndPrint(method, i, EValue(), "none");
    SetAndPrint(method, i, EValue(std::int64_t{987654}), "an int");
    SetAndPrint(method, i, EValue(0.3), "a double");
    SetAndPrint(method, i, EValue(own.isBool() && !own.toBool()), "a bool");
    if (!own.isTensor()) continue;
    Arena arena;
    const Tensor good = MakeTensor(arena, own.toTensor(), 0);
    for (const Distortion& distortion : distortions) {
      SetAndPrint(method, i, EValue(Distort(arena, good, distortion)), distortion.name);
    }
    good.unsafeGetTensorImpl()->set_data(nullptr);
    SetAndPrint(method, i, EValue(good), "without data");
  }
}

void TryWrongOutputs(Method& method) {
  Arena arena;
  const auto bytes = arena.Bytes(kOutputBytes);
  for (std::size_t i = 0; i <= method.outputs_size(); ++i) {
    out << "set_output_data_ptr " << i << " of 0 bytes "
        << method.set_output_data_ptr(bytes.data(), 0, i) << ", null "
        << method.set_output_data_ptr(nullptr, kOutputBytes, i) << "\n";
  }
}

// Sets every input. If a shape has an upper bound, the input has `rows` rows.
void SetInputs(Arena& arena, Method& method, unsigned seed, std::int32_t rows) {
  for (std::size_t i = 0; i < method.inputs_size(); ++i) {
    const EValue own = method.get_input(i);
    if (!own.isTensor()) {
      SetAndPrint(method, i, own, "its own value");
      continue;
    }
    const bool is_bound = own.toTensor().shape_dynamism() == TensorShapeDynamism::DYNAMIC_BOUND;
    const Tensor tensor =
        MakeTensor(arena, own.toTensor(), seed + static_cast<unsigned>(i), is_bound ? rows : 0);
    SetAndPrint(method, i, EValue(tensor), "a tensor");
  }
}

void PlaceOutputs(Arena& arena, Method& method) {
  for (std::size_t i = 0; i < method.outputs_size(); ++i) {
    const Error error =
        method.set_output_data_ptr(arena.Bytes(kOutputBytes).data(), kOutputBytes, i);
    out << "set_output_data_ptr " << i << " " << error << "\n";
  }
}

void PrintOutputs(const Method& method, Contents contents) {
  for (std::size_t i = 0; i < method.outputs_size(); ++i) {
    out << "output " << i << " ";
    Print(method.get_output(i), contents);
  }
}

void Step(Method& method) {
  Error error = Error::Ok;
  for (int i = 0; i < kMaxSteps && error == Error::Ok; ++i) {
    error = i % 2 == 0 ? method.step() : method.experimental_step();
    out << "step " << i << " " << error << " in progress " << method.in_progress() << "\n";
    if (i == 0) Execute(method, "execute between steps");
    if (i == 0) out << "reset between steps " << method.reset_execution() << "\n";
  }
  error = method.step();
  out << "step at the end " << error << "\n";
  PrintOutputs(method, Contents::kHash);
  out << "reset " << method.experimental_reset_execution() << ", again " << method.reset_execution()
      << "\n";
}

void PrintAttributes(Method& method) {
  out << "attribute " << method.get_attribute("no such attribute").error() << "\n";
  const MethodMeta meta = method.method_meta();
  for (std::size_t i = 0; i < meta.num_attributes(); ++i) {
    const std::string_view name = meta.attribute_tensor_meta(i)->name();
    const Result<Tensor> attribute = method.get_attribute(name);
    out << "attribute " << name << " " << attribute.error() << " ";
    if (attribute.ok()) Print(*attribute, Contents::kHash);
    out << "\n";
  }
}

void TryLists(Method& method) {
  Arena arena;
  const std::size_t inputs = method.inputs_size();
  const std::size_t outputs = method.outputs_size();
  const auto values = arena.List<EValue>(inputs + outputs + 1);
  for (EValue& value : values) new (&value) EValue();
  out << "get_outputs " << method.get_outputs(values.data(), outputs + 1);
  out << " and one more " << values[outputs].isNone() << "\n";
  out << "get_outputs exact " << method.get_outputs(values.data(), outputs) << "\n";
  if (outputs > 0)
    out << "get_outputs short " << method.get_outputs(values.data(), outputs - 1) << "\n";
  out << "get_inputs " << method.get_inputs(values.data(), inputs + 1);
  out << " and one more " << values[inputs].isNone() << "\n";
  out << "get_inputs exact " << method.get_inputs(values.data(), inputs) << "\n";
  if (inputs > 0)
    out << "get_inputs short " << method.get_inputs(values.data(), inputs - 1) << "\n";
  out << "set_inputs none " << method.set_inputs({}) << ", all "
      << method.set_inputs({values.data(), inputs}) << ", too many "
      << method.set_inputs({values.data(), inputs + 1}) << "\n";
}

// References to values: deprecated functions that applications may still use.
void TryReferences(Method& method) {
  for (std::size_t i = 0; i < method.inputs_size(); ++i) {
    out << "mutable_input " << i << " " << (&method.mutable_input(i) == &method.get_input(i))
        << " ";
    Print(method.mutable_input(i));
  }
  for (std::size_t i = 0; i < method.outputs_size(); ++i) {
    out << "mutable_output " << i << " " << (&method.mutable_output(i) == &method.get_output(i))
        << "\n";
  }
  out << "tracer " << (method.get_event_tracer() != nullptr) << "\n";
}

}  // namespace

void ExerciseMethod(Method& method) {
  out << method.inputs_size() << " inputs, " << method.outputs_size() << " outputs, in progress "
      << method.in_progress() << "\n";
  if (method.inputs_size() > 0) Execute(method, "execute unset");
  out << "reset unset " << method.reset_execution() << "\n";
  TryWrongInputs(method);
  TryWrongOutputs(method);
  constexpr std::int32_t kRows[] = {0, 1, 3};
  for (unsigned round = 0; round < 3; ++round) {
    Arena arena;
    SetInputs(arena, method, round * 11, kRows[round]);
    PlaceOutputs(arena, method);
    Execute(method, "execute");
    PrintOutputs(method, Contents::kHash);
    Step(method);
    Execute(method, "execute again");
    PrintOutputs(method, Contents::kHash);
    TryLists(method);
  }
  TryReferences(method);
  PrintAttributes(method);
}

void RunMethod(Method& method) {
  constexpr std::int32_t kRows[] = {0, 2};
  for (unsigned round = 0; round < 2; ++round) {
    Arena arena;
    SetInputs(arena, method, round * 11, kRows[round]);
    PlaceOutputs(arena, method);
    const Error error = method.execute();
    out << "execute " << error << "\n";
    if (error == Error::Ok) PrintOutputs(method, Contents::kInFull);
  }
}

}  // namespace conformance
