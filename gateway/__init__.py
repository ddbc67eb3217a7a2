"""HTTP in, NATS out: the gateway. Stateless; the only service that speaks to PostgreSQL."""
