"""Whose turn it is at which model server: bounded, fair, and with as few changes of model as fairness allows."""

from broker.scheduler.bounds import Bounds
from broker.scheduler.scheduler import Load, Scheduler
from broker.scheduler.server import Server

__all__ = ["Bounds", "Load", "Scheduler", "Server"]
