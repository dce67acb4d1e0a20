"""PyCharm on this machine: which ones there are, whether one runs, where its settings are; and its maker's feed."""
