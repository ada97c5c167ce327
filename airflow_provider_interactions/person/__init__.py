"""Everything that a vendor knows about one person: request, files, counts."""
