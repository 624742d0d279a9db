// SPDX-License-Identifier: Apache-2.0
//
// The file that this process shares with the NPU simulator (DESIGN.md, "The host"), handed over
// open by the supervisor. Before main() the sections .model and .tensor_arena are laid over it at
// their own addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform::host {

// A file descriptor that the supervisor named in environment variable `name`; -1 when it did not.
int InheritedDescriptor(const char* name);

// The byte at which the NPU sees device address `address`; null without a supervisor.
void* SharedAddress(std::uint64_t address);

// Where the NPU sees `address`; npu_port.h's kNotVisible when it does not.
std::uint64_t SharedDeviceAddress(const void* address);

}  // namespace pilotlight::platform::host
