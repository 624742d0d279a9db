# SPDX-License-Identifier: Apache-2.0
"""One step of the network, calibrated on random texts."""

import torch
from network import HEADS, LETTERS, SLOTS, WIDTH, masks, network

from pilotlight.model_spec import ModelSpec, Tied


def spec() -> ModelSpec:
    module, letters, places = network()
    random = torch.Generator().manual_seed(9)
    samples = []
    for _ in range(6):
        keys = values = torch.zeros(1, HEADS, SLOTS, WIDTH)
        for position in range(SLOTS + 1):
            letter = int(torch.randint(len(LETTERS), (1,), generator=random))
            samples.append((letters[letter], places[position], masks()[position], keys, values))
            with torch.no_grad():
                _, key, value = module(*samples[-1])
            keys, values = keys.clone(), values.clone()
            keys[:, :, position : position + 1], values[:, :, position : position + 1] = key, value
    return ModelSpec(
        name="tiny_text",
        module=module,
        example_inputs=samples[SLOTS // 2],
        calibration=samples,
        tied=(Tied("output_1", "keys", 2), Tied("output_2", "values", 2)),
    )
