"""Hostile text and values, in every place from which they could reach code, comments or file names."""
