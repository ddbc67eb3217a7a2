"""What model servers speak. The broker knows them by `backend.Backend` only."""
