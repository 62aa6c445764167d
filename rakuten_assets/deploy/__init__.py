"""A deployment on several machines, written out as files: `python -m rakuten_assets.deploy DIR`."""
