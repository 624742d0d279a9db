# SPDX-License-Identifier: Apache-2.0
"""Text generation with a model that runs token by token. See DESIGN.md."""
