// SPDX-License-Identifier: Apache-2.0
//
// The app's hooks (pilotlight/hooks.h says what each must do). Set the hooks once at start, before
// any interrupt can use them. Reading is allowed in any context.
#pragma once

#include <cstdint>

#include "pilotlight/hooks.h"

namespace pilotlight::platform {

void SetHooks(const pilotlight_hooks_t& hooks);
const pilotlight_hooks_t& Hooks();

// Calls the app's wait hook. Returns false at once if the app has none.
inline bool WaitForSignal(std::uint64_t deadline_us) {
  const pilotlight_hooks_t& hooks = Hooks();
  if (hooks.wait == nullptr) return false;
  hooks.wait(hooks.context, deadline_us);
  return true;
}

// Ends WaitForSignal(). Called from the NPU's interrupt.
inline void SignalWaiter() {
  const pilotlight_hooks_t& hooks = Hooks();
  if (hooks.signal != nullptr) hooks.signal(hooks.context);
}

// Holds the app's lock while in scope.
class Locked {
 public:
  Locked() {
    if (Hooks().lock != nullptr) Hooks().lock(Hooks().context);
  }
  ~Locked() {
    if (Hooks().unlock != nullptr) Hooks().unlock(Hooks().context);
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

}  // namespace pilotlight::platform
