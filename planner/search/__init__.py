"""Branch and bound over straight paths through a gate, and what it proves."""
