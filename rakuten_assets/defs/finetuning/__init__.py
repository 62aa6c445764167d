"""Fine-tuned weights, where they are asked for."""
