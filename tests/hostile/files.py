"""User files with hostile text in them, written to a folder, imported, and used."""
