"""What others learn about a step: summary, metrics, assets, links, lineage."""
