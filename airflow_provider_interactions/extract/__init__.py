"""From a vendor to raw files in the lake: ask, guard, land, commit."""
