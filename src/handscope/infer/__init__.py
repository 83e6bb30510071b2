"""A picture in, hands out: reading, detection, estimation, the full camera, files. Sees no torch."""
