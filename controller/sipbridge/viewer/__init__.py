"""What is seen of the bridge in a terminal. Knows snapshots and nothing else of the bridge."""
