"""From raw files to canonical rows and rejects."""
