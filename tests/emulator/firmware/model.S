/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces an embedded .pte: 64 KiB in the section that the simulator must see. */
    .section .model, "a"
    .balign 16
    .global probe_model
probe_model:
    .ascii "probe model"
    .zero 65536 - 11
    .section .note.GNU-stack, "", %progbits
