"""Main Mode, Quick Mode and Informational as straight-line coroutines that read like RFC 2409."""
