"""Methods that solve linear systems, in floats or in fractions."""
