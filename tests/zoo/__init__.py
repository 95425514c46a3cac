"""Every model class of transformers, every kind of modification: rebuilt or refused, never silently wrong."""
