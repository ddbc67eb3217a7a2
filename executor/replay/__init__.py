"""``python -m executor.replay``: a tape (JSON, standard input) run again; `schemas.tapes.Replayed` comes out.

It needs WasmEdge and the engine, and neither NATS nor models.
"""
