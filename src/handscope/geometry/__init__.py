"""Arithmetic of rotations, cameras, crops, heat-maps and alignment."""
