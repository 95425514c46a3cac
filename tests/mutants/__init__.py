"""Planted mistakes in emitted packages: the validator has to refuse each of them."""
