// SPDX-License-Identifier: Apache-2.0
//
// The Ethos-U delegate over an NPU that is done at once and computes nothing.
#pragma once

#include "pilotlight/ethos_u/backend.h"

namespace pilotlight::fuzz {

// Registers "EthosUBackend". Once.
ethos_u::EthosUBackend& RegisterEthosU();

}  // namespace pilotlight::fuzz
