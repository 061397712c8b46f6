"""What the graph of a model says: what is reached, what ends, what recurs."""
