"""From the file that the operator wrote to the values of `policy`: reading, each fault at once, what looks doubtful."""
