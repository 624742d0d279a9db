# SPDX-License-Identifier: Apache-2.0
"""Code around the calls of ExecuTorch, TOSA and Vela: repairs, refusals and captured output."""
