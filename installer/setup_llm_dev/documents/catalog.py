"""The Catalog: which PyTorch builds exist and what they need, read from `manifests/catalog/*.toml`."""
