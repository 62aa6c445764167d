"""Which images there are: walking through folders, reading label files, telling files from their names."""
