# SPDX-License-Identifier: Apache-2.0
"""What a build folder contains: its files, the remembered options, the finished image.

See DESIGN.md.
"""

from pilotlight.build_folder.build_info import BuildInfo, BuiltModel
from pilotlight.build_folder.folder import BuildFolder, LinkedImage
from pilotlight.build_folder.model_options import ModelOptions, read_options
from pilotlight.build_folder.settings import Settings

__all__ = ["BuildFolder", "BuildInfo", "BuiltModel", "LinkedImage", "ModelOptions", "Settings", "read_options"]
