"""`python -m orcid_sync`: the command line."""

from orcid_sync.cli.main import main

if __name__ == "__main__":
    main()
