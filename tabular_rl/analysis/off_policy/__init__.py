"""What off-policy evaluation is made of: logged episodes, estimators, confidence, and what they are worth in truth."""
