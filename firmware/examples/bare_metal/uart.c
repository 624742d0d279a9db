// SPDX-License-Identifier: Apache-2.0
#include "uart.h"

#include <stdint.h>

// CMSDK APB UART of the Corstone-300 (AN547), secure alias.
#define UART ((volatile uint32_t*)0x59303000)
enum { DATA = 0, STATE = 1, CTRL = 2, BAUDDIV = 4 };
enum { TRANSMIT_FULL = 1, RECEIVE_FULL = 2, ENABLE = 3 };

void uart_start(void) {
  UART[BAUDDIV] = 278;  // 32 MHz at 115,200 baud
  UART[CTRL] = ENABLE;
}

static void put(char c) {
  while (UART[STATE] & TRANSMIT_FULL) {
  }
  UART[DATA] = (uint8_t)c;
}

size_t uart_read_line(char* into, size_t size) {
  for (size_t length = 0;;) {
    while (!(UART[STATE] & RECEIVE_FULL)) {
    }
    const char c = (char)UART[DATA];
    if (c == '\n') {
      into[length] = '\0';
      return length;
    }
    if (c != '\r' && length + 1 < size) into[length++] = c;
  }
}

void uart_print(const char* text) {
  while (*text) put(*text++);
}

void uart_print_number(int number) {
  char text[12];
  int count = 0;
  unsigned left = number < 0 ? 0u - (unsigned)number : (unsigned)number;
  do {
    text[count++] = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  if (number < 0) put('-');
  while (count) put(text[--count]);
}
