"""What is printed: blocks made of answers."""
