"""Budgets: how much executions, plugins, callers and everybody together may ask of models, kept in NATS."""

from broker.budgets.budgets import Budgets, Reservation
from broker.budgets.counters import Counters
from broker.budgets.limits import Limits

__all__ = ["Budgets", "Counters", "Limits", "Reservation"]
