"""Several machines: runs through a queue to workers, dead workers noticed, workers with other settings refused."""
