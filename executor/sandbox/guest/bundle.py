"""A plugin's files, as they come from the executor."""

import json

from .channel import receive


def receive_files():
    """{path: content}, the file that runs first: u32 length of an index, [[path, length], …] in JSON, the contents."""
    payload = receive()
    place = 4 + int.from_bytes(payload[:4], "little")
    files = {}
    for path, length in json.loads(payload[4:place]):
        files[path] = payload[place : place + length]
        place += length
    return files


def text_of(data):
    """The main file's source as text."""
    return data.decode("utf-8").removeprefix("\ufeff")
