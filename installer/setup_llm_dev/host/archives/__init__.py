"""Unpacking archives that nobody has to trust."""
