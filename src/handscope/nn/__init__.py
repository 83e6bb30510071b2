"""The networks: the cascade of the paper, its backbones, and the detector."""
