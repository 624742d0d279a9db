// SPDX-License-Identifier: Apache-2.0
//
// Backends that print what a runtime passes to them, and compute a function of it.
#pragma once

#include <executorch/runtime/backend/backend_options_map.h>

namespace conformance {

// Registers AddingBackend, MultiplyingBackend and EthosUBackend. Prints what the registry reports
// before and after.
void RegisterBackends();

// Load options for AddingBackend, and for a backend that does not exist.
const executorch::runtime::LoadBackendOptionsMap& LoadOptions();

}  // namespace conformance
