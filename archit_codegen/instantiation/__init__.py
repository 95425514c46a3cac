"""Heads at run time: the templates of the compiler, rendered in memory, on any base model."""
