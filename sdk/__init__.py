"""What people use: `platform_sdk` for plugins, the Python client `sdk.client`, the command line `wasmforge`."""
