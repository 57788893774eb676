"""S3: buckets, objects, versions and uploads, on durable bytes."""
