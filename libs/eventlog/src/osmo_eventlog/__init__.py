"""The log: append, load, follow, consume, leases, blobs; NATS adapter and memory twin."""
