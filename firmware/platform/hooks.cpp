// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/hooks.h"

namespace pilotlight::platform {
namespace {

pilotlight_hooks_t hooks_in_force;

}  // namespace

void SetHooks(const pilotlight_hooks_t& hooks) { hooks_in_force = hooks; }
const pilotlight_hooks_t& Hooks() { return hooks_in_force; }

}  // namespace pilotlight::platform
