"""Report what a step did: summary, metrics, assets, links, lineage."""
