"""Pods without a cluster: the built runtime in containers that are made of namespaces, each with a root file system of its own."""
