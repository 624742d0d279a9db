# SPDX-License-Identifier: Apache-2.0
"""A process that has imported PyTorch already, and exports in copies of itself. See DESIGN.md."""

from pilotlight.builder.worker.client import export_in_worker, is_wanted, start_worker

__all__ = ["export_in_worker", "is_wanted", "start_worker"]
