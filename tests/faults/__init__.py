"""Packages under fire: see `__main__.py`."""
