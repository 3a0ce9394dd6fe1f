"""Faults of single appliances, told from the power of their plugs. Pure."""

from meters.insights.appliances.examining import diagnose, examine, learn
from meters.insights.appliances.findings import Examination, Finding
from meters.insights.appliances.kinds import KINDS, Fault
from meters.insights.appliances.power import Power, joined, resample
from meters.insights.appliances.usual import Learnt, Usual

__all__ = [
    "KINDS",
    "Examination",
    "Fault",
    "Finding",
    "Learnt",
    "Power",
    "Usual",
    "diagnose",
    "examine",
    "joined",
    "learn",
    "resample",
]
