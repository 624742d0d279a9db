# SPDX-License-Identifier: Apache-2.0
"""What surrounds the calls of ExecuTorch, TOSA and Vela: repairs, refusals, output."""
