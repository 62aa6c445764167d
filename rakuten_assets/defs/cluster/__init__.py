"""Several machines: runs through a queue to workers, dead workers noticed, workers with other settings refused;
and what a shared history needs: records of old runs deleted."""
