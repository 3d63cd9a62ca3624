"""What is fetched by HTTP: CRLs, and nothing else. The URL stands in a certificate that a CA of ours has signed."""
