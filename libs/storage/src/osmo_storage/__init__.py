"""Object storage by URI."""
