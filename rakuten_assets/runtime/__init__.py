"""The process that a command runs in: its terminal, its machine, its progress, its compiled kernels."""
