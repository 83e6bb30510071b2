"""Rendering: differentiable silhouettes (torch) and a z-buffer rasteriser (numba)."""
