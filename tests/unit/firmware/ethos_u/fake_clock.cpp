// SPDX-License-Identifier: Apache-2.0
#include "fake_npu.h"
#include "pilotlight/platform/clock.h"

namespace pilotlight::platform {

std::uint64_t NowUs() { return test::fake_now_us += 10; }
std::uint64_t CpuCycles() { return test::fake_now_us; }

}  // namespace pilotlight::platform
