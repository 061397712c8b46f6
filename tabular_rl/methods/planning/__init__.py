"""Methods that sweep over the model."""
