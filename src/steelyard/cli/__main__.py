"""`python -m steelyard.cli`."""

from steelyard.cli.main import main

main()
