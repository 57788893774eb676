"""SQS: durable queues."""
