"""No clear text between the machine's start and ikevd's: the blocks of the last good configuration."""
