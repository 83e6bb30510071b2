"""A picture in, hands out: reading, detection, estimation, lifting to the camera, files. Sees no torch."""
