"""CloudWatch: metrics, their statistics, and alarms on them."""
