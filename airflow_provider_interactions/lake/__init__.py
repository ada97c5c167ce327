"""Files in the lake: paths, storage, manifests, Parquet, and one reader of what a manifest names."""
