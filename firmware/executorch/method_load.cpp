// SPDX-License-Identifier: Apache-2.0
//
// Method: builds a runnable method from the execution plan in the .pte, and destroys it. SPEC.md
// lists the allocations in their order; the host computes the size of the method pool from them.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include <executorch/runtime/core/event_tracer_hooks.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/platform_memory_allocator.h>
#include <executorch/runtime/executor/program.h>

#include "backend_delegate.h"
#include "instruction_decoder.h"
#include "program_schema.h"
#include "refuse.h"
#include "tensor_memory.h"
#include "tensor_parser.h"
#include "value_builder.h"

namespace executorch {
namespace runtime {
namespace {

using deserialization::TensorParser;
using pilotlight::executorch_runtime::CountOf;
using pilotlight::executorch_runtime::IsExternalConstant;
using pilotlight::executorch_runtime::TableAt;

// The host computes the size of the method pool from these sizes
// (python/pilotlight/codegen/method_pool.py): 32-bit targets first, then 64-bit hosts.
constexpr bool kIs32Bit = sizeof(void*) == 4;
static_assert(sizeof(EValue) == 16, "see above");
static_assert(sizeof(etensor::TensorImpl) == (kIs32Bit ? 32 : 64), "see above");
static_assert(sizeof(BackendDelegate) == (kIs32Bit ? 40 : 56), "see above");
static_assert(sizeof(CompileSpec) == 3 * sizeof(void*), "see above");
static_assert(sizeof(Instruction) == 3 * sizeof(void*), "see above");
static_assert(sizeof(Chain) == 2 * sizeof(void*), "see above");
static_assert(sizeof(NamedData) == (kIs32Bit ? 40 : 48), "see above");

// The value's tensor if it is an external constant, else null.
const executorch_flatbuffer::Tensor* AsExternalConstant(
    const executorch_flatbuffer::EValue& value) {
  const auto* tensor = value.val_as_Tensor();
  return tensor != nullptr && IsExternalConstant(*tensor) ? tensor : nullptr;
}

}  // namespace

Result<Method> Method::load(executorch_flatbuffer::ExecutionPlan* s_plan, const Program* program,
                            MemoryManager* memory_manager, EventTracer* event_tracer,
                            const NamedDataMap* named_data_map,
                            const LoadBackendOptionsMap* backend_options,
                            Span<const Kernel> kernel_registry) {
  MemoryAllocator* temp_allocator = memory_manager->temp_allocator();
  if (temp_allocator == nullptr) {
    // Kernels then get memory from et_pal_allocate(), which returns null by default.
    auto* platform =
        memory_manager->method_allocator()->allocateInstance<internal::PlatformMemoryAllocator>();
    if (platform == nullptr) return Error::MemoryAllocationFailed;
    temp_allocator = new (platform) internal::PlatformMemoryAllocator();
  }
  Method method(program, memory_manager, event_tracer, temp_allocator, kernel_registry);
  const Error error = method.init(s_plan, named_data_map, backend_options);
  if (error != Error::Ok) return error;
  return Result<Method>(std::move(method));
}

Error Method::init(executorch_flatbuffer::ExecutionPlan* s_plan, const NamedDataMap* named_data_map,
                   const LoadBackendOptionsMap* backend_options) {
  EXECUTORCH_SCOPE_PROF("Method::init");
  internal::EventTracerProfileMethodScope scope(event_tracer_, "Method::init");
  if (init_state_ != InitializationState::Uninitialized) return Error::InvalidState;
  init_state_ = InitializationState::InitializationFailed;
  serialization_plan_ = s_plan;
  MemoryAllocator* pool = memory_manager_->method_allocator();

  // Named data may come from the .pte, from the caller, or from both.
  const Result<const NamedDataMap*> pte_data = program_->get_named_data_map();
  const NamedDataMap* named_data = pte_data.ok() ? *pte_data : named_data_map;
  if (pte_data.ok() && named_data_map != nullptr) {
    Result<internal::MergedDataMap> merged =
        internal::MergedDataMap::load(named_data_map, *pte_data);
    if (!merged.ok()) return merged.error();
    auto* storage = pool->allocateInstance<internal::MergedDataMap>();
    if (storage == nullptr) return Error::MemoryAllocationFailed;
    merged_data_map_ = new (storage) internal::MergedDataMap(std::move(*merged));
    named_data = merged_data_map_;
  }
  // External constants come from the caller only. Delegates see named data of both.
  ET_CHECK_OK_OR_RETURN_ERROR(parse_values(named_data_map));

  const size_t delegate_count = CountOf(s_plan->delegates());
  delegates_ = pool->allocateList<BackendDelegate>(delegate_count);
  if (delegates_ == nullptr) return Error::MemoryAllocationFailed;
  for (size_t i = 0; i < delegate_count; ++i) {
    const auto* delegate = TableAt(s_plan->delegates(), i);
    BackendInitContext context(pool, event_tracer_, s_plan->name()->c_str(), named_data,
                               backend_options != nullptr
                                   ? backend_options->get_options(delegate->id()->c_str())
                                   : Span<const BackendOption>{});
    ET_CHECK_OK_OR_RETURN_ERROR(
        BackendDelegate::Load(*delegate, *program_, context, delegates_ + i));
    n_delegate_ = i + 1;  // From here on, the destructor destroys it.
  }

  n_chains_ = s_plan->chains()->size();
  chains_ = pool->allocateList<Chain>(n_chains_);
  if (chains_ == nullptr) return Error::MemoryAllocationFailed;
  InstructionDecoder decoder(*s_plan, values_, delegates_, kernel_registry_, pool);
  for (size_t i = 0; i < n_chains_; ++i) {
    ET_CHECK_OK_OR_RETURN_ERROR(decoder.Decode(*TableAt(s_plan->chains(), i), &chains_[i]));
  }
  ET_CHECK_OK_OR_RETURN_ERROR(decoder.VerifyKinds({chains_, n_chains_}));
  step_state_ = {0, 0};
  init_state_ = InitializationState::Initialized;
  return Error::Ok;
}

Error Method::parse_values(const NamedDataMap* named_data_map) {
  const auto* s_values = serialization_plan_->values();
  const size_t count = s_values->size();

  MemoryAllocator* pool = memory_manager_->method_allocator();
  const size_t input_count = serialization_plan_->inputs()->size();
  values_ = pool->allocateList<EValue>(count);
  input_set_ = pool->allocateList<bool>(input_count);
  if (values_ == nullptr || input_set_ == nullptr) return Error::MemoryAllocationFailed;
  for (size_t i = 0; i < input_count; ++i) input_set_[i] = false;

  ET_CHECK_OK_OR_RETURN_ERROR(parse_external_constants(named_data_map));
  TensorParser tensors(program_, memory_manager_, named_data_map,
                       {external_constants_, n_external_constants_});
  ValueBuilder builder(*s_values, values_, pool, &tensors);
  for (size_t i = 0; i < count; ++i) {
    ET_CHECK_OK_OR_RETURN_ERROR(builder.Build(i));
    n_value_ = i + 1;  // From here on, the destructor destroys it.
  }
  return Error::Ok;
}

Result<size_t> Method::get_num_external_constants() {
  const auto* s_values = serialization_plan_->values();
  size_t count = 0;
  for (size_t i = 0; i < CountOf(s_values); ++i) {
    if (AsExternalConstant(*TableAt(s_values, i)) != nullptr) ++count;
  }
  return count;
}

Error Method::parse_external_constants(const NamedDataMap* named_data_map) {
  const Result<size_t> count = get_num_external_constants();
  if (*count == 0) return Error::Ok;
  if (named_data_map == nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidState, "%zu external constants, but no data map",
                             *count);
  }
  external_constants_ = memory_manager_->method_allocator()->allocateList<NamedData>(*count);
  if (external_constants_ == nullptr) return Error::MemoryAllocationFailed;

  const auto* s_values = serialization_plan_->values();
  for (size_t i = 0; i < s_values->size(); ++i) {
    const auto* tensor = AsExternalConstant(*TableAt(s_values, i));
    if (tensor == nullptr) continue;
    const char* name = tensor->extra_tensor_info()->fully_qualified_name()->c_str();
    bool known = false;  // Several values may share one constant.
    for (size_t k = 0; k < n_external_constants_ && !known; ++k) {
      known = std::strcmp(external_constants_[k].key, name) == 0;
    }
    if (known) continue;
    const Result<const TensorLayout> layout = named_data_map->get_tensor_layout(name);
    if (!layout.ok()) {
      return PILOTLIGHT_REFUSE(layout.error(), "No layout for external constant %s", name);
    }
    ET_CHECK_OK_OR_RETURN_ERROR(deserialization::CheckLayout(*tensor, *layout));
    Result<FreeableBuffer> data = named_data_map->get_data(name);
    if (!data.ok()) return data.error();
    new (&external_constants_[n_external_constants_]) NamedData{name, std::move(*data)};
    ++n_external_constants_;
  }
  return Error::Ok;
}

Method::~Method() {
  for (size_t i = 0; i < n_value_; ++i) values_[i].~EValue();
  for (size_t i = 0; i < n_delegate_; ++i) delegates_[i].~BackendDelegate();
  for (size_t i = 0; i < n_external_constants_; ++i) external_constants_[i].~NamedData();
  if (merged_data_map_ != nullptr) merged_data_map_->~MergedDataMap();
}

}  // namespace runtime
}  // namespace executorch
