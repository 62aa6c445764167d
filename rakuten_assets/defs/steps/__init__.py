"""What is put around the function of an asset."""
