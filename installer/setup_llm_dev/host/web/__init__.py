"""How we speak HTTP: sessions, redirects, answers, mirrors, package indexes."""
