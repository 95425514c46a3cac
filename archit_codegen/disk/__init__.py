"""Packages on disk: their lock, who owns which file, and the exchange that replaces them as a whole."""
