# SPDX-License-Identifier: Apache-2.0
"""From a model file to a captured graph."""
