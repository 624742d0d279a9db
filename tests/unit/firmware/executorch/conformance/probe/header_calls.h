// SPDX-License-Identifier: Apache-2.0
//
// Functions of the headers that no program needs, called directly.
#pragma once

namespace conformance {

void CallTensorFunctions();    // tensor_util.h, tensor_impl.h, tensor_layout.h,
                               // tensor_shape_to_c_string.h
void CallRegistryFunctions();  // operator_registry.h, tag.h, evalue.h, device_allocator.h
void CallPlatformFunctions();  // platform.h, log.h, runtime.h

// Ends in the platform's abort(). `what` is "runtime", "platform", "kernel twice", "negative size"
// or "no space".
void CallAborting(const char* what);

// Platform hooks for every command: no log text, and an allocator that counts.
void UseProbePlatform();

}  // namespace conformance
