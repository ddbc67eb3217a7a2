"""How WasmForge is set up and run: the set-up of one machine and the local stack."""
