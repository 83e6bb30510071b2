"""Training: configuration, loop, checkpoints, export."""
