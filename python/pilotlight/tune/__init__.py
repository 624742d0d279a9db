# SPDX-License-Identifier: Apache-2.0
"""`pilotlight tune`: finds the cheapest recipe within a tolerance and a budget. See DESIGN.md."""
