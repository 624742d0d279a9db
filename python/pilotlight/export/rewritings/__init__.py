# SPDX-License-Identifier: Apache-2.0
"""Rewritings by subject.

Each module has a table REWRITINGS; export/rewritings/apply.py collects them.
"""
