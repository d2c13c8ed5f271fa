"""Policy of the balance: measured speed in, integer shares and weights out. No I/O, no clock, no torch."""

from steelyard.balance.estimator import CostEstimator, Measurement
from steelyard.balance.policy import EqualPolicy, Policy, SpeedPolicy, policy_by_name
from steelyard.balance.split import Shares, finish_s, rescale, split_by_cost, split_equally
from steelyard.balance.straggler import Straggler, StragglerWatch
from steelyard.balance.weight import MAX_WEIGHT, load_balancer_weights

__all__ = [
    "MAX_WEIGHT",
    "CostEstimator",
    "EqualPolicy",
    "Measurement",
    "Policy",
    "Shares",
    "SpeedPolicy",
    "Straggler",
    "StragglerWatch",
    "finish_s",
    "load_balancer_weights",
    "policy_by_name",
    "rescale",
    "split_by_cost",
    "split_equally",
]
