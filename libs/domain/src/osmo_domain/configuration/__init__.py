"""The installation's configuration as people write it: objects in the reference's JSON, what may be written, and what follows from it. Pure."""
