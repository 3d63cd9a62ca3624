"""What the operator configured, as the running program sees it, and the rules of choosing by it."""
