"""The one pure core that drives every exchange: no sockets, clock, kernel or asyncio."""
