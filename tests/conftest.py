# SPDX-License-Identifier: Apache-2.0
"""Settings of every test."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["time_limit"]

# By default, hypothesis fails an example that takes 0.2 s, and warns of examples that are made
# slowly. Both depend on the machine rather than on the code. tests/time_limit.py ends a hang.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
