"""`python -m handscope` is `handscope`."""

import sys

from handscope.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
