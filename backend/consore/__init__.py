"""Consore: the reports of a cancer centre read, each patient's history rebuilt, and both found in plain words."""

__version__ = "0.1.0"
