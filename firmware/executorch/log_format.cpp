// SPDX-License-Identifier: Apache-2.0
#include "log_format.h"

#include <cstdint>

namespace pilotlight::executorch_runtime {
namespace {

// Appends to a buffer and records whether everything fitted.
class Line {
 public:
  Line(char* out, std::size_t size_bytes) : begin_(out), next_(out), end_(out + size_bytes - 1) {}

  void Put(char c) {
    if (next_ == end_) {
      full_ = true;
      return;
    }
    *next_++ = c;
  }
  std::size_t Finish() {
    if (full_) end_[-1] = '$';
    *next_ = '\0';
    return static_cast<std::size_t>(next_ - begin_);
  }

 private:
  char* begin_;
  char* next_;
  char* end_;
  bool full_ = false;
};

struct Conversion {
  bool left = false;
  bool zeros = false;
  int width = 0;
  int precision = -1;
  int length = 0;  // Size of an integer argument.
};

void PutPadded(Line& line, const Conversion& how, const char* text, std::size_t count) {
  const int padding = how.width - static_cast<int>(count);
  for (int i = 0; i < padding && !how.left; ++i) line.Put(how.zeros ? '0' : ' ');
  for (std::size_t i = 0; i < count; ++i) line.Put(text[i]);
  for (int i = 0; i < padding && how.left; ++i) line.Put(' ');
}

void PutNumber(Line& line, const Conversion& how, bool negative, std::uint64_t value,
               unsigned base) {
  char text[24];
  char* const end = text + sizeof(text);
  char* next = end;
  do {
    *--next = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  if (negative) *--next = '-';
  PutPadded(line, how, next, static_cast<std::size_t>(end - next));
}

void PutText(Line& line, Conversion how, const char* text) {
  if (text == nullptr) text = "(null)";
  std::size_t count = 0;
  while ((how.precision < 0 || count < static_cast<std::size_t>(how.precision)) &&
         text[count] != '\0') {
    ++count;
  }
  how.zeros = false;
  PutPadded(line, how, text, count);
}

const char* ParseLength(const char* format, Conversion* how) {
  how->length = sizeof(int);
  for (;; ++format) {
    switch (*format) {
      case 'h':  // Promoted to int.
        break;
      case 'l':
        how->length =
            how->length == sizeof(long) && format[-1] == 'l' ? sizeof(long long) : sizeof(long);
        break;
      case 'z':
      case 't':
        how->length = sizeof(std::size_t);
        break;
      case 'j':
        how->length = sizeof(std::intmax_t);
        break;
      default:
        return format;
    }
  }
}

// Reads the part of a conversion before its letter. Returns the position of the letter.
const char* ParseConversion(const char* format, va_list& args, Conversion* how) {
  for (; *format == '0' || *format == '-' || *format == '+' || *format == ' ' || *format == '#';
       ++format) {
    how->zeros = how->zeros || *format == '0';
    how->left = how->left || *format == '-';
  }
  if (*format == '*') {
    how->width = va_arg(args, int);
    ++format;
  }
  for (; *format >= '0' && *format <= '9'; ++format) how->width = how->width * 10 + (*format - '0');
  if (*format == '.') {
    how->precision = 0;
    if (*++format == '*') {
      how->precision = va_arg(args, int);
      ++format;
    }
    for (; *format >= '0' && *format <= '9'; ++format) {
      how->precision = how->precision * 10 + (*format - '0');
    }
  }
  return ParseLength(format, how);
}

// Appends the text of a conversion and takes its argument. False if `letter` is no conversion.
bool PutArgument(Line& line, const Conversion& how, char letter, va_list& args) {
  switch (letter) {
    case 'd':
    case 'i': {
      const std::int64_t value =
          how.length > static_cast<int>(sizeof(int)) ? va_arg(args, long long) : va_arg(args, int);
      PutNumber(
          line, how, value < 0,
          value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value),
          10);
      break;
    }
    case 'u':
    case 'x':
    case 'X': {
      const std::uint64_t value = how.length > static_cast<int>(sizeof(unsigned))
                                      ? va_arg(args, unsigned long long)
                                      : va_arg(args, unsigned);
      PutNumber(line, how, false, value, letter == 'u' ? 10 : 16);
      break;
    }
    case 'p': {
      line.Put('0');
      line.Put('x');
      PutNumber(line, how, false, reinterpret_cast<std::uintptr_t>(va_arg(args, void*)), 16);
      break;
    }
    case 'c': {
      const char c = static_cast<char>(va_arg(args, int));
      PutPadded(line, how, &c, 1);
      break;
    }
    case 's':
      PutText(line, how, va_arg(args, const char*));
      break;
    case 'f':
    case 'e':
    case 'g':
    case 'a':
      static_cast<void>(va_arg(args, double));
      line.Put('?');
      break;
    case '%':
      line.Put('%');
      break;
    default:
      return false;
  }
  return true;
}

}  // namespace

std::size_t FormatLog(char* out, std::size_t size_bytes, const char* format, va_list args) {
  Line line(out, size_bytes);
  va_list rest;
  va_copy(rest, args);
  for (; *format != '\0'; ++format) {
    if (*format != '%') {
      line.Put(*format);
      continue;
    }
    Conversion how;
    format = ParseConversion(format + 1, rest, &how);
    if (!PutArgument(line, how, *format, rest)) break;
  }
  va_end(rest);
  return line.Finish();
}

}  // namespace pilotlight::executorch_runtime
