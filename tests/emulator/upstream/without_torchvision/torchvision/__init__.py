# SPDX-License-Identifier: Apache-2.0
"""Replaces torchvision for upstream's MobileNetV2 case: the architecture, with random weights.

The real package would download trained weights. Only run_upstream.py --without-torchvision uses
this one.
"""

__version__ = "0"
