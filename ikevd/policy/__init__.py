"""What the operator configured: the file (schema), and what the program sees of it (model)."""
