# SPDX-License-Identifier: Apache-2.0
"""What holds for every test."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["time_limit"]

# hypothesis would fail an example that takes 0.2 s, and examples that are made slowly: both say more about the
# machine than about the code. tests/time_limit.py ends what hangs.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
