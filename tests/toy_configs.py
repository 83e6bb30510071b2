"""Networks small enough for a test to train, as configurations."""

from handscope.nn.encoder import PyramidConfig
from handscope.nn.network import NetworkConfig

TINY = NetworkConfig(
    crop=64,
    stem=(8, 8),
    channels=8,
    pyramid=PyramidConfig(channels=(8, 8, 8, 8), blocks=(1, 1, 1, 1)),
    backbone="pyramid",
    regressor=(8, 8),
    regressor_hidden=16,
)
"""Shapes and arithmetic: everything is there, nothing can be learnt well."""

LEARNER = NetworkConfig(
    crop=64,
    stem=(8, 16),
    channels=24,
    pyramid=PyramidConfig(channels=(24, 32, 48, 64), blocks=(1, 1, 1, 1)),
    backbone="pyramid",
    regressor=(32, 64),
    regressor_hidden=128,
)
"""Enough to learn one batch by heart."""
