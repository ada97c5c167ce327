"""Turn raw files into canonical rows and rejects."""
