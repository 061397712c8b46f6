"""What exercises are made of: small models, draws, the usual mistakes, and one file a kind of exercise."""
