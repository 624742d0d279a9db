// SPDX-License-Identifier: Apache-2.0
//
// One delegate of a loaded method: the backend, its handle, and the blob that it
// may point into until it is destroyed. Private to firmware/executorch.
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

// Program befriends this name (executor/program.h).
class BackendDelegate final {
 public:
  // Constructs a delegate at `out` and has its backend initialise it; `context`
  // gives the pool for compile specs. On error `out` is left unconstructed.
  //
  // NotFound  no such backend, or it is unavailable.
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
