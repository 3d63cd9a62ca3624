"""From the file that the operator wrote to `policy.model`: reading, every fault at once, and what looks doubtful."""
