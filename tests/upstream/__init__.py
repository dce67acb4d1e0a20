"""Loopback servers that speak the formats of a model hub and of package indexes."""
