"""Files in the lake: paths, storage, manifests, Parquet, and one reader for the files of a manifest."""
