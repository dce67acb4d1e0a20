"""A small fine-tune that proves an environment: every claim it makes was measured in this run."""
