"""The operating systems, one module each."""
