// SPDX-License-Identifier: Apache-2.0
#include "pilotlight/platform/fault_dump.h"

#include <cstring>
#include <initializer_list>

#include "pilotlight/base/crc32.h"

namespace pilotlight::platform {

void SealFaultDump(FaultDump& dump) {
  dump.magic = kFaultDumpMagic;
  dump.length_bytes = sizeof(dump);
  dump.crc = Crc32({reinterpret_cast<const std::byte*>(&dump), offsetof(FaultDump, crc)});
}

void DescribeCheck(FaultDump& dump, const char* file, int line, const char* expression) {
  dump.kind = FaultKind::kCheck;
  dump.check_line = static_cast<std::uint32_t>(line);
  const char* const slash = std::strrchr(file, '/');
  std::size_t length = 0;
  for (const char* part : {slash != nullptr ? slash + 1 : file, ": ", expression}) {
    for (; *part != '\0' && length + 1 < sizeof(dump.check_text); ++part) {
      dump.check_text[length++] = *part;
    }
  }
  dump.check_text[length] = '\0';
}

}  // namespace pilotlight::platform
