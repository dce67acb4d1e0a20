"""The version of the tool: a constant, because reading package metadata costs a tenth of a second."""

__version__ = "0.1.0"
