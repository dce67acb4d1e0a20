"""Where models come from: the Hugging Face hub with its cache, and ModelScope."""
