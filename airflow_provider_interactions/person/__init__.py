"""Everything the vendor knows about one person: request, files, counts."""
