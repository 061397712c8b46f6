"""The methods: one algorithm a file, one line each in the catalogue."""
