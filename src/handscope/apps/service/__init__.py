"""The HTTP service: admission (bytes, time, number) | batching (requests share the networks) | metrics | api.

A request passes admission before its body is read, has its header checked before anything is decoded, waits in a
bounded queue as the bytes it came in, and is decoded by the one thread that runs the networks.
"""
