"""What the user already wrote down about the surroundings: proxies, certificates, mirrors, caches, tokens."""
