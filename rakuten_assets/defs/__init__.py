"""Dagster's side of the project: one folder a stage, in the order in which data flows; thin."""
