"""Which way of selling to try next, and what the log says about it. Pure: no database, no clock, no flask.

`learning` keeps a policy, tells it of closed decisions, and asks it. The hold-out is learning's, never a
policy's. Why these policies look as they do: `docs/adr/0026-how-strategies-are-chosen.md`.
"""

from bandit.beliefs import Arm, Context
from bandit.off_policy import Logged, OffPolicyEstimate, TooFewDecisions, estimate_ips, estimate_snips
from bandit.policies import (
    Choice,
    EpsilonGreedy,
    Estimate,
    HalfLife,
    NoEligibleArm,
    Policy,
    ThompsonSampling,
    Uniform,
)

__all__ = [
    "Arm",
    "Choice",
    "Context",
    "EpsilonGreedy",
    "Estimate",
    "HalfLife",
    "Logged",
    "NoEligibleArm",
    "OffPolicyEstimate",
    "Policy",
    "ThompsonSampling",
    "TooFewDecisions",
    "Uniform",
    "estimate_ips",
    "estimate_snips",
]
