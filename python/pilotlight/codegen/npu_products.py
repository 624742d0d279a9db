# SPDX-License-Identifier: Apache-2.0
"""Defines the NPU products that an image supports (firmware/ethos_u, products.h).

The linker takes the driver's tables and verifiers of these products only.
"""

from __future__ import annotations

from collections.abc import Iterable

from pilotlight.npu_names import FAMILIES, family_of

_LIST = """\
#include "pilotlight/ethos_u/products.h"

#ifdef __cplusplus
extern "C" {{
#endif
{declarations}
const struct pilotlight_npu_product* const pilotlight_npu_products[] = {{
{rows}    0}};
#ifdef __cplusplus
}}
#endif
"""


def product_list(numbers: Iterable[int]) -> str:
    """Return C, also C++, that defines the list. numbers: values of CONFIG.product.

    >>> print(product_list([2]).partition("= ")[2].partition("#")[0])
    {
        &pilotlight_npu_product_2,
        0};
    <BLANKLINE>
    """
    ordered = sorted(set(numbers))
    return _LIST.format(
        declarations="".join(
            f"extern const struct pilotlight_npu_product pilotlight_npu_product_{number};\n" for number in ordered
        ),
        rows="".join(f"    &pilotlight_npu_product_{number},\n" for number in ordered),
    )


def product_number(npu: str) -> int:
    """Return the value of CONFIG.product of one of pilotlight.npu_names.NPUS.

    >>> product_number("ethos-u65-256")
    1
    """
    return list(FAMILIES).index(family_of(npu).name)
