"""Scores on pictures that never train anything, and the protocols behind them."""
