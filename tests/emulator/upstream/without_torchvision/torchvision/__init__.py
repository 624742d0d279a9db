# SPDX-License-Identifier: Apache-2.0
"""Stands in for torchvision where upstream's MobileNetV2 case needs it: the architecture, with random weights.

The real one would fetch trained weights from the network. Only run_upstream.py --without-torchvision finds this.
"""

__version__ = "0"
