"""Run the command line from a checkout: `python cli.py solve FILE`. Not installed."""

from tabular_rl.commands import main

if __name__ == "__main__":
    main()
