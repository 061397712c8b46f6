"""The lesson page: one file that shows how the values of a model arise."""
