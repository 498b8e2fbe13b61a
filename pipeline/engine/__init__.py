"""Engines that apply the audience rules to more rows than fit in memory."""
