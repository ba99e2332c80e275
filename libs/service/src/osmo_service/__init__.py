"""Process skeleton: settings, logging, lifecycle, health, metrics."""
