"""Questions that run over methods: compare, simulate, estimate."""
