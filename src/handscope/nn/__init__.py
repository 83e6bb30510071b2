"""The networks: the cascade of the paper, its trunks, and the detector."""
