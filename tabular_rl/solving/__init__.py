"""What a method is made of: its options, its run, its sweeps and samples, its answer."""
