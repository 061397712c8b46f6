"""Text, JSON, CSV and pictures made of blocks."""
