// SPDX-License-Identifier: Apache-2.0
//
// Backends that print what a runtime gives them and compute a function of it.
#pragma once

#include <executorch/runtime/backend/backend_options_map.h>

namespace conformance {

// AddingBackend, MultiplyingBackend and EthosUBackend; prints what the registry says before and
// after.
void RegisterBackends();

// Options at load for the first of them, and for one that is not there.
const executorch::runtime::LoadBackendOptionsMap& LoadOptions();

}  // namespace conformance
