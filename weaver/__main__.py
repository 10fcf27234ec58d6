"""`python -m weaver`: the command line."""

from weaver.cli.main import main

if __name__ == "__main__":
    main()
