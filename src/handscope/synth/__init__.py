"""Synthetic pictures of hands with exact labels: poses, looks, scenes, shards."""
