"""A pod on a bare machine: the process that stands over one task's init, ctrl and user containers, like a container runtime's shim.

It has its own session, outlives whoever started it, and speaks to the agent through files of the pod's directory (`pod_dir`).
"""
