/* SPDX-License-Identifier: Apache-2.0 */
/* The programs, aligned as an embedded .pte must be. */
    .macro program symbol, file
    .balign 16
    .global \symbol
    .global \symbol\()_end
\symbol:
    .incbin "\file"
\symbol\()_end:
    .endm

    .section .model, "a"
    program pte_digits, "digits.pte"
    program pte_kernels_16, "kernels-16.pte"
    program pte_kernels_32, "kernels-32.pte"
    program pte_delegates_16, "delegates-16.pte"
    program pte_delegates_32, "delegates-32.pte"
    .section .note.GNU-stack, "", %progbits
