"""Tiny datasets in the real on-disk formats, made of synthesised hands, so that the true answer is known."""

NAMES = ("freihand", "rhd", "stb", "dexter_object", "cmu", "hiu", "interhand", "ho3d")
