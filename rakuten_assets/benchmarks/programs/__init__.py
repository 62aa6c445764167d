"""What is run in processes of its own, to be measured: the baselines, a peer, and our own parts."""
