// SPDX-License-Identifier: Apache-2.0
//
// The app's serial port, by polling.
#ifndef DOOR_PANEL_UART_H_
#define DOOR_PANEL_UART_H_

#include <stddef.h>

void uart_start(void);

// Waits for a line and returns its length without the newline. Drops characters that do not fit.
size_t uart_read_line(char* into, size_t size);

void uart_print(const char* text);
void uart_print_number(int number);

#endif  // DOOR_PANEL_UART_H_
