"""Models of other tools: a file for each tool, or for each kind of file."""
