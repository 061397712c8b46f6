"""The model: an MDP, its policies, and what can be said of both without solving."""
