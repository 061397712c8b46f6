"""Run the command line from a checkout: `python cli.py solve FILE`. Not installed."""

import sys

sys.argv[0] = "tabular-rl"  # which signals before the end of the imports are heard by

from tabular_rl.commands import main  # noqa: E402

if __name__ == "__main__":
    main()
