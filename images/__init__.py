"""How the images are built: the relocatable runtime, the Containerfiles, and an OCI archive without any engine."""
