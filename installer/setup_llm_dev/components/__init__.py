"""The things that get set up: pure functions from documents to steps."""
