"""Real and synthetic pictures with labels: files in, samples and batches out."""
