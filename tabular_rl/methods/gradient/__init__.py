"""Policy gradients: exact, their estimators, and the learners that climb them."""
