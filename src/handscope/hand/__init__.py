"""The hand model: its files, and posing it in numpy and in torch."""
