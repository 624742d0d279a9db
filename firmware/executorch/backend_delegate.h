// SPDX-License-Identifier: Apache-2.0
//
// One delegate of a loaded method: the backend, its handle and its data. The handle may point into
// the data until the delegate is destroyed. Private to firmware/executorch.
#pragma once

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/freeable_buffer.h>
#include <executorch/runtime/core/result.h>

namespace executorch_flatbuffer {
struct BackendDelegate;
}  // namespace executorch_flatbuffer

namespace executorch {
namespace runtime {

class Program;

// executor/program.h declares a class of this name as a friend of Program.
class BackendDelegate final {
 public:
  // Constructs a delegate at `out` and initialises it with its backend. `context` provides the pool
  // for compile specs. On error, `out` stays unconstructed.
  //
  // NotFound  the backend does not exist or is not available.
  // Others    from the backend or the data loader.
  static Error Load(const executorch_flatbuffer::BackendDelegate& delegate, const Program& program,
                    BackendInitContext& context, BackendDelegate* out);

  ~BackendDelegate();
  BackendDelegate(const BackendDelegate&) = delete;
  BackendDelegate& operator=(const BackendDelegate&) = delete;

  Error Execute(BackendExecutionContext& context, Span<EValue*> args) const {
    return backend_->execute(context, handle_, args);
  }

 private:
  BackendDelegate(const BackendInterface* backend, FreeableBuffer&& processed)
      : backend_(backend), processed_(std::move(processed)) {}

  static Result<FreeableBuffer> LoadData(const executorch_flatbuffer::BackendDelegate& delegate,
                                         const Program& program);

  const BackendInterface* backend_;
  DelegateHandle* handle_ = nullptr;
  FreeableBuffer processed_;
};

}  // namespace runtime
}  // namespace executorch
