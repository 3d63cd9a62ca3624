"""Under asyncio: carries out what conversations want, and knows which datagram belongs to whom."""
