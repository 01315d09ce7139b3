"""`python -m multikernel` is `mkit`."""

from multikernel.cli import main

if __name__ == "__main__":
    main()
