"""Trustworthy, reproducible machine-learning inputs from the Rakuten France product catalogue, as Dagster assets."""
