"""A small HTTP/1.1 client for model servers: thousands of requests a second, each of which ends the moment it is left.

Whatever a server sends is bounded and checked; nothing is decompressed, no redirect followed, no cookie kept, no proxy
of the environment used.
"""
