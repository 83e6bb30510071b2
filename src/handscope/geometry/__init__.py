"""Arithmetic of rotations, cameras, crops and heat-maps."""
