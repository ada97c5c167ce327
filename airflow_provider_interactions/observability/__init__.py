"""What a step tells others: summary, metrics, assets, links, lineage."""
