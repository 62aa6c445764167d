"""IO managers: `.npy`, parquet and JSON files on a folder or a bucket."""
