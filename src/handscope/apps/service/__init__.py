"""The HTTP service: admission (bytes, time, number) | batching (requests share the networks) | work | metrics | api.

A request passes admission when its body is there; its picture is inspected and decoded in a process of its own, waits
in a bounded queue for the one thread that runs the networks, and is answered.
"""
