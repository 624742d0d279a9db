# SPDX-License-Identifier: Apache-2.0
"""Generates C sources for a firmware image from an export bundle. See DESIGN.md."""

from pilotlight.codegen.arenas import Arenas, plan_arenas
from pilotlight.codegen.generate import GeneratedModel, generate_models

__all__ = ["Arenas", "GeneratedModel", "generate_models", "plan_arenas"]
