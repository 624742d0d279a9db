# SPDX-License-Identifier: Apache-2.0
"""What a stream says before it runs: how long its operations take, and which waits it lacks."""
