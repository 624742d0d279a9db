// SPDX-License-Identifier: Apache-2.0
#include "semihosting.h"

#include <cstring>

namespace pilotlight::semihosting {
namespace {

enum Operation : std::uint32_t {
  kOpen = 0x01,
  kClose = 0x02,
  kWrite = 0x05,
  kRead = 0x06,
  kFileLength = 0x0C,
  kRemove = 0x0E,
  kGetCommandLine = 0x15,
  kExitExtended = 0x20,
};
constexpr std::uint32_t kApplicationExit = 0x20026;  // ADP_Stopped_ApplicationExit

std::int32_t Call(Operation operation, const std::uint32_t* arguments) {
  register std::uint32_t r0 __asm("r0") = operation;
  register const std::uint32_t* r1 __asm("r1") = arguments;
  __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return static_cast<std::int32_t>(r0);
}

std::uint32_t Word(const void* pointer) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(pointer));
}

std::uint32_t Word(std::size_t number) { return static_cast<std::uint32_t>(number); }

}  // namespace

bool ReadCommandLine(Span<char> into) {
  const std::uint32_t arguments[] = {Word(into.data()), Word(into.size())};
  return Call(kGetCommandLine, arguments) == 0;
}

File::File(const char* path, Mode mode) {
  const std::uint32_t arguments[] = {Word(path), static_cast<std::uint32_t>(mode),
                                     Word(std::strlen(path))};
  handle_ = Call(kOpen, arguments);
}

File::~File() {
  if (ok()) Close();
}

bool File::Close() {
  const std::uint32_t arguments[] = {static_cast<std::uint32_t>(handle_)};
  handle_ = -1;
  return Call(kClose, arguments) == 0;
}

bool File::Size(std::size_t& size_bytes) const {
  const std::uint32_t arguments[] = {static_cast<std::uint32_t>(handle_)};
  const std::int32_t length = Call(kFileLength, arguments);
  if (length < 0) return false;
  size_bytes = static_cast<std::size_t>(length);
  return true;
}

// Both calls return the number of bytes that were not transferred.
bool File::Read(Span<std::byte> into) const {
  const std::uint32_t arguments[] = {static_cast<std::uint32_t>(handle_), Word(into.data()),
                                     Word(into.size())};
  return Call(kRead, arguments) == 0;
}

bool File::Write(Span<const std::byte> bytes) const {
  const std::uint32_t arguments[] = {static_cast<std::uint32_t>(handle_), Word(bytes.data()),
                                     Word(bytes.size())};
  return Call(kWrite, arguments) == 0;
}

void Remove(const char* path) {
  const std::uint32_t arguments[] = {Word(path), Word(std::strlen(path))};
  (void)Call(kRemove, arguments);
}

void Exit(std::uint32_t code) {
  const std::uint32_t arguments[] = {kApplicationExit, code};
  for (;;) (void)Call(kExitExtended, arguments);
}

}  // namespace pilotlight::semihosting
