"""Methods that learn values from samples."""
