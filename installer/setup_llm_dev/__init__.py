"""setup-llm-dev: from a bare machine to a proven fine-tune in one command."""
