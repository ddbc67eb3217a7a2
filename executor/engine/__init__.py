"""The sandbox engine as a file: the pinned CPython for WASI, prepared and compiled ahead of time.

Standard library only, because it runs before anything is installed.
"""
