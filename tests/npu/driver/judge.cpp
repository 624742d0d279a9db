// SPDX-License-Identifier: Apache-2.0
//
// The driver's verdict on programs, for tests in Python. Each request on standard input is some
// words and then bytes. The answer to each request is one line:
//
//   's' CONFIG ID sizes[8] length stream   VerifyStream: "ok USED_REGIONS" or a refusal
//   'b' CONFIG ID fast_scratch length blob VerifyProgram: "ok USED_REGIONS" or a refusal
//
// A refusal is "STATUS CAUSE OFFSET CHANNEL REGION BEGIN END text".
#include <cstdio>
#include <memory>

#include "pilotlight/ethos_u/command_stream.h"
#include "pilotlight/ethos_u/program.h"

namespace {

using namespace pilotlight;
using namespace pilotlight::ethos_u;

bool Read(void* into, std::size_t size) { return std::fread(into, 1, size, stdin) == size; }

bool Word(std::uint32_t& word) { return Read(&word, sizeof(word)); }

bool Answer() {
  std::uint32_t kind = 0, length = 0, fast_scratch_bytes = 0;
  NpuIdentity npu;
  RegionSizes sizes;
  if (!Word(kind) || !Word(npu.config) || !Word(npu.id)) return false;
  if (kind == 's' ? !Read(&sizes, sizeof(sizes)) : !Word(fast_scratch_bytes)) return false;
  if (!Word(length)) return false;
  // A block of exactly the content's size, so that a sanitizer sees any read beyond it.
  const auto bytes = std::make_unique<std::byte[]>(length);
  if (!Read(bytes.get(), length)) return false;

  Failure failure;
  Program program;
  const Span<const std::byte> content(bytes.get(), length);
  const Status status = kind == 's'
                            ? VerifyStream(content, npu, sizes, program.used_regions, failure)
                            : VerifyProgram(content, npu, fast_scratch_bytes, program, failure);
  if (status == Status::kOk) {
    std::printf("ok %d\n", program.used_regions);
    return true;
  }
  char text[192];
  Describe(failure, text);
  std::printf("%d %d %u %d %u %lld %lld %s\n", static_cast<int>(status),
              static_cast<int>(failure.cause), failure.offset, failure.channel, failure.region,
              static_cast<long long>(failure.begin), static_cast<long long>(failure.end), text);
  return true;
}

}  // namespace

int main() {
  while (Answer()) {
  }
  return 0;
}
