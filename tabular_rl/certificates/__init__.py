"""From a model, values and a policy to a proven interval: the only place where a bound is formed."""
