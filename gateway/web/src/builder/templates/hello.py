"""Says hello."""

from platform_sdk import get_input, send_output

send_output(f"Hello, {get_input().strip() or 'world'}!")
