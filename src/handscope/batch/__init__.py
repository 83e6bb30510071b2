"""Millions of pictures into tables: a frozen list, shards of it, a part a shard; who works is an engine's matter."""
