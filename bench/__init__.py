"""Measures the platform: every way of running a plugin side by side, in one run, in turns."""
