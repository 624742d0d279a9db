// SPDX-License-Identifier: Apache-2.0
//
// A door panel. It reads one command per line from the serial port.
//   knock            answers "who is there?"
//   digit HEX        HEX: the 64 bytes of an 8x8 image, in the layout of the model's input;
//                    answers the digit in the image and the score of each class
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "model_digits.h"          /* Pilotlight */
#include "pilotlight/pilotlight.h" /* Pilotlight */
#include "uart.h"

static pilotlight_model_t digits;                    /* Pilotlight */
enum { CLASSES = PILOTLIGHT_DIGITS_OUTPUT_0_DIM_1 }; /* Pilotlight */

static bool parse_hex(const char* text, uint8_t* into, size_t size) {
  for (size_t i = 0; i < 2 * size; ++i) {
    const char c = text[i];
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) return false;
    into[i / 2] = (uint8_t)(into[i / 2] << 4 | value);
  }
  return text[2 * size] == '\0';
}

static void answer_digit(const char* hex) {
  const pilotlight_tensor_t image = pilotlight_input(&digits, 0); /* Pilotlight */
  if (!parse_hex(hex, image.data, image.size_bytes)) {
    uart_print("digit: 64 bytes as hexadecimal digits are expected\n");
    return;
  }
  if (pilotlight_run(&digits, 1000000) != PILOTLIGHT_OK) { /* Pilotlight */
    uart_print(pilotlight_failure(&digits));               /* Pilotlight */
    uart_print("\n");
    return;
  }
  const int8_t* scores = pilotlight_output(&digits, 0).data; /* Pilotlight */
  int best = 0;
  for (int i = 1; i < CLASSES; ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  uart_print_number(best);
  uart_print(":");
  for (int i = 0; i < CLASSES; ++i) {
    uart_print(" ");
    uart_print_number(scores[i]);
  }
  uart_print("\n");
}

int main(void) {
  uart_start();
  __asm volatile("cpsie i" ::: "memory");
  (void)pilotlight_init(NULL);                                             /* Pilotlight */
  if (pilotlight_open(&digits, &pilotlight_model_digits) != PILOTLIGHT_OK) /* Pilotlight */
    uart_print(pilotlight_failure(&digits));                               /* Pilotlight */
  uart_print("door panel ready\n");
  for (;;) {
    char line[256];
    uart_read_line(line, sizeof line);
    if (strcmp(line, "knock") == 0) {
      uart_print("who is there?\n");
    } else if (strncmp(line, "digit ", 6) == 0) {
      answer_digit(line + 6);
    } else {
      uart_print("commands: knock, digit HEX\n");
    }
  }
}
