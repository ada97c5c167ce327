"""Which windows of which account the lake holds, and how complete each is."""
