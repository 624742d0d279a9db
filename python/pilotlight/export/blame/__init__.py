# SPDX-License-Identifier: Apache-2.0
"""Where a model loses accuracy: each operator's result on every stage from FP32 to the NPU. See DESIGN.md."""
