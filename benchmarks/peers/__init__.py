"""murmure beside what its users would use instead: speed, memory, size and quality."""
