# SPDX-License-Identifier: Apache-2.0
"""`python -m pilotlight`: the `pilotlight` command."""

import sys

from pilotlight.cli import main

sys.exit(main())
