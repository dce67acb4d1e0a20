"""The GPU vendors, one module each."""
