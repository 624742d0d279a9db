# SPDX-License-Identifier: Apache-2.0
"""C sources for a firmware image from an export bundle. Design: DESIGN.md in this folder."""

from pilotlight.codegen.arenas import Arenas, plan_arenas
from pilotlight.codegen.generate import GeneratedModel, generate_models

__all__ = ["Arenas", "GeneratedModel", "generate_models", "plan_arenas"]
