// SPDX-License-Identifier: Apache-2.0
//
// The file that this process shares with the NPU simulator (DESIGN.md, "The host"). The supervisor
// passes the file as an open descriptor. Before main(), the sections .model and .tensor_arena are
// mapped onto the file at their own addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pilotlight::platform::host {

// The file descriptor in the environment variable `name`, set by the supervisor; -1 if not set.
int InheritedDescriptor(const char* name);

// The byte in this process that has device address `address`; null without a supervisor.
void* SharedAddress(std::uint64_t address);

// The device address of the byte at `address`; npu_port.h's kNotVisible if the NPU cannot reach it.
std::uint64_t SharedDeviceAddress(const void* address);

}  // namespace pilotlight::platform::host
