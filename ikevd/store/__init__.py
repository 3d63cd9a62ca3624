"""What of the peers outlives the process: their records, written fact by fact, and read again by the next process."""
