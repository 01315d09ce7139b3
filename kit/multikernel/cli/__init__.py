"""The command `mkit`.  One file a command group; `root` lists them and imports one when it is called.

    main()    what the script and `python -m multikernel` run

May not know: anything but where the root is, so that `mkit --help` stays cheap.
"""

from multikernel.cli.root import main

__all__ = ["main"]
