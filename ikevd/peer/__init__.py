"""Pure decisions about a peer: state and fact to new state and effects. No clock, kernel or asyncio."""
