# SPDX-License-Identifier: Apache-2.0
"""Sizes of the digits image, as Vela, the exporter and the linker state them.

The tests also measure the cost of float inputs and outputs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workflow import run

from pilotlight.boards import load_board
from pilotlight.size.record import FLASH, RAM


def test_layers_and_regions_of_the_digits_are_what_was_exported_and_linked(digits_build: Path) -> None:
    outcome = run("size", "-d", digits_build, "--json")
    assert outcome.code == 0, outcome.err
    sizes = outcome.json
    (model,) = sizes["models"]
    exported = json.loads((digits_build / "bundles" / "digits" / "report.json").read_text(encoding="utf-8"))["sizes"]
    assert sum(model["flash"].values()) == (digits_build / "bundles" / "digits" / "model.pte").stat().st_size
    assert model["flash"]["weights"] == exported["weight_bytes"]
    assert sum(layer["weights_bytes"] for layer in model["layers"]) == exported["weight_bytes"]
    assert sum(layer["commands_bytes"] for layer in model["layers"]) == model["flash"]["NPU commands"]
    named = {layer["name"]: layer for layer in model["layers"]}
    assert named["features.5 CONV2D"]["weights_bytes"] > named["features.0 DEPTHWISE_CONV2D"]["weights_bytes"]
    assert named["features.5 CONV2D"]["where"].startswith("digits/model.py:")
    # 32 int8 channels of 4 x 4.
    assert named["features.5 CONV2D"]["output_bytes"] == 32 * 4 * 4

    used = sum(region["used_bytes"] for region in sizes["regions"])
    assert used == sum(part["size_bytes"] for part in sizes["parts"])
    assert used == sizes["flash_bytes"] + sizes["ram_bytes"]
    # Every object of ours belongs to one of our components.
    assert set(sizes["components"]) <= {
        *("app", "platform", "runtime core", "verifier", "kernels", "delegate", "driver", "model API", "model"),
        *("protocol", "C and C++ library", "stack", "padding", "linker"),
    }
    # Padding is at most one granule where a region ends.
    ends = 4 * load_board("qemu-corstone300").cpu.mpu_granule_bytes
    assert sizes["components"]["padding"]["flash_bytes"] < sizes["flash_bytes"] / 100 + ends


def test_weights_that_the_npu_copies_before_it_reads_them_belong_to_the_layer_that_does(kws_build: Path) -> None:
    (model,) = run("size", "-d", kws_build, "--json").json["models"]
    weights = {layer["name"]: layer["weights_bytes"] for layer in model["layers"]}
    assert sum(weights.values()) == model["flash"]["weights"]
    assert [name for name, size in weights.items() if not size] == ["pool AVG_POOL2D", "(of no layer)"]


def test_a_difference_says_what_float_inputs_and_outputs_cost(digits_build: Path, float_build: Path) -> None:
    outcome = run("size", "-d", float_build, "--diff", digits_build, "--json", "--fail-above", "100000")
    assert outcome.code == 0, outcome.err
    difference = outcome.json
    both = [run("size", "-d", folder, "--json").json for folder in (digits_build, float_build)]
    for key in ("flash_bytes", "ram_bytes"):
        assert difference[key] == both[1][key] - both[0][key] > 0
    changes = {row["name"]: row["change"] for row in difference["component"]}
    assert sum(change[FLASH] for change in changes.values()) == difference["flash_bytes"]
    assert sum(change[RAM] for change in changes.values()) == difference["ram_bytes"]
    assert changes["kernels"][FLASH] > 500
    layers = {row["name"] for row in difference["layer"]}
    assert layers == {"digits: CPU quantize_per_tensor.out", "digits: CPU dequantize_per_tensor.out"}

    printed = run("size", "-d", float_build, "--diff", digits_build)
    assert printed.code == 0
    assert printed.out.index("flash") < printed.out.index("memory region") < printed.out.index("kernels")


@pytest.mark.campaign
def test_a_git_revision_is_built_once_with_the_same_settings(digits_build: Path) -> None:
    first = run("size", "-d", digits_build, "--diff", "HEAD", "--json")
    assert first.code == 0, first.err
    assert list((digits_build / "size-at-revisions").glob("*.json"))
    assert not list((digits_build / "size-at-revisions").glob("*/source"))
    again = run("size", "-d", digits_build, "--diff", "HEAD", "--json")
    assert again.json == first.json
