"""One per cluster: carries out pod commands, reports what it sees."""
