"""The certificate service (CAS), from which NLB and ALB take their certificates."""
