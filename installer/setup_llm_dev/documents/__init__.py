"""The nouns: frozen values without effects, to and from TOML and JSON."""
