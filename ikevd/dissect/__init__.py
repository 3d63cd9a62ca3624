"""Messages and captures field by field, as plain data: what a peer sent, whatever it is."""
