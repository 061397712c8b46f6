"""`python -m tabular_rl` does what `tabular-rl` does."""

from tabular_rl.commands import main

if __name__ == "__main__":
    main()
