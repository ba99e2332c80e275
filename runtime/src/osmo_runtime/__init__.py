"""What runs inside a task's pod: osmo-init, osmo-ctrl, the user-command wrapper."""
