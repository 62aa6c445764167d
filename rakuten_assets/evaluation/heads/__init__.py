"""Heads on frozen features: trained, calibrated, stored and applied."""
