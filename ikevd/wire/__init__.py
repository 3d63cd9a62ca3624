"""ISAKMP on the wire (RFC 2408): decode and encode, nothing else."""
