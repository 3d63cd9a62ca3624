"""Evidence of every negotiation, and the views of it: log, ladder, counters."""
