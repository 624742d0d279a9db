// SPDX-License-Identifier: Apache-2.0
//
// The Ethos-U delegate on an NPU that finishes at once and computes nothing.
#pragma once

#include "pilotlight/ethos_u/backend.h"

namespace pilotlight::fuzz {

// Registers "EthosUBackend". Call it once.
ethos_u::EthosUBackend& RegisterEthosU();

}  // namespace pilotlight::fuzz
