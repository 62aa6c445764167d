"""What several benchmarks measure with: memory, turns, the machine's peak, a workplace for the graph, tables."""
