"""What is pushed in: the needles there are (catalogue) and the paths they take (path)."""
