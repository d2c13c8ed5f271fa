"""What the products share whose load balancers stand in several zones, which are NLB and ALB."""
