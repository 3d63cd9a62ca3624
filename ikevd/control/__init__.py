"""The control API: HTTP and JSON on a unix socket, and its client."""
