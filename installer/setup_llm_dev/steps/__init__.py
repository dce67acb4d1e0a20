"""The kinds of change: frozen values with describe, check, apply and undo."""
