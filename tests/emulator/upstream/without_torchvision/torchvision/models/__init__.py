# SPDX-License-Identifier: Apache-2.0
from torchvision.models import mobilenetv2

__all__ = ["mobilenetv2"]
