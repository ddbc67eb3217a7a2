"""The executor: takes calls from NATS, runs each in a fresh sandbox, replies.

service ─► admission ─► run ─► pool ─► sandbox process (WasmEdge + CPython)
                         │
                         └─► ai ─► broker, over NATS
"""
