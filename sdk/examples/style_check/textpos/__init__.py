"""Lines and columns of places in a text. A package of its own, copied in as any pure-Python package can be."""

from .places import Places

__all__ = ["Places"]
