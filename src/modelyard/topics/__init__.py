"""Topics: what is published to one goes to every queue that is subscribed to it (SNS)."""
