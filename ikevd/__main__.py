"""`python -m ikevd`."""

from ikevd.cli.main import main

main()
