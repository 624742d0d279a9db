// SPDX-License-Identifier: Apache-2.0
//
// The backends in this image, by name. The storage is zero-initialised, so a static constructor in
// any object file may register, in any order.
#include <cstddef>
#include <cstring>

#include <executorch/runtime/backend/interface.h>

#include "refuse.h"

#ifndef PILOTLIGHT_EXECUTORCH_MAX_BACKENDS
#define PILOTLIGHT_EXECUTORCH_MAX_BACKENDS 4
#endif

namespace executorch {
namespace runtime {
namespace {

constexpr size_t kMaxBackends = PILOTLIGHT_EXECUTORCH_MAX_BACKENDS;

Backend backends[kMaxBackends];
size_t backend_count;

Backend* FindBackend(const char* name) {
  for (size_t i = 0; i < backend_count; ++i) {
    if (std::strcmp(backends[i].name, name) == 0) return &backends[i];
  }
  return nullptr;
}

}  // namespace

BackendInterface::~BackendInterface() {}

BackendInterface* get_backend_class(const char* name) {
  const Backend* backend = FindBackend(name);
  return backend == nullptr ? nullptr : backend->backend;
}

Error register_backend(const Backend& backend) {
  if (backend.name == nullptr || backend.backend == nullptr) return Error::InvalidArgument;
  if (FindBackend(backend.name) != nullptr) {
    return PILOTLIGHT_REFUSE(Error::InvalidArgument, "Backend %s is already registered",
                             backend.name);
  }
  if (backend_count >= kMaxBackends) {
    return PILOTLIGHT_REFUSE(
        Error::Internal,
        "No room for backend %s: raise PILOTLIGHT_EXECUTORCH_MAX_BACKENDS from %zu", backend.name,
        kMaxBackends);
  }
  backends[backend_count++] = backend;
  return Error::Ok;
}

size_t get_num_registered_backends() { return backend_count; }

Result<const char*> get_backend_name(size_t index) {
  if (index >= backend_count) return Error::InvalidArgument;
  return backends[index].name;
}

Error set_option(const char* backend_name, const Span<BackendOption> backend_options) {
  Backend* backend = FindBackend(backend_name);
  if (backend == nullptr) return Error::NotFound;
  BackendOptionContext context;
  return backend->backend->set_option(context, backend_options);
}

Error get_option(const char* backend_name, Span<BackendOption> backend_options) {
  Backend* backend = FindBackend(backend_name);
  if (backend == nullptr) return Error::NotFound;
  BackendOptionContext context;
  return backend->backend->get_option(context, backend_options);
}

}  // namespace runtime
}  // namespace executorch
