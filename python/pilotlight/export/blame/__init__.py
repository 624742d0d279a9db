# SPDX-License-Identifier: Apache-2.0
"""Shows where a model loses accuracy: each operator's result on each stage, from FP32 to the NPU.

See DESIGN.md.
"""
