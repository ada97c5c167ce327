"""How fast the engine is, each figure beside the limit it is measured against: ``python -m tests.bench``."""
