"""One command, `ikevd`."""
