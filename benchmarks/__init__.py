"""Speed as ratios against rivals, measured in one run: `python -m benchmarks`."""
