"""`python -m consore` is the `consore` command."""

from consore.cli import main

main()
