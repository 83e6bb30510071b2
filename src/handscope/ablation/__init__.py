"""Grids of training runs: what to compare, the runs themselves, their scores, and what they say."""
