"""Loopback servers that speak the formats of a model hub and of package indexes, for tests, benches and use by hand."""
