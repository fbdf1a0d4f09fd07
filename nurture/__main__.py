"""`python -m nurture`."""

from nurture.cli.main import main

main()
