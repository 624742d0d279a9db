/* SPDX-License-Identifier: Apache-2.0
 *
 * An image without fault handlers whose first instructions fault.
 */
    .syntax unified
    .thumb
    .section .vectors, "a"
    .word 0x30080000, start + 1, 0, 0, 0, 0, 0, 0

    .text
    .thumb_func
    .global start
start:
    cpsid i
    udf #1
