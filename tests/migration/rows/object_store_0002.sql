INSERT INTO blob (digest, size) VALUES ('sha256:00', 3);
INSERT INTO bucket (name, account, region, created) VALUES ('bucket', '111122223333', 'us-east-1', 1700000000.5);
INSERT INTO object_version (bucket_id, object_key, version_id, listed, modified, size, etag, digest)
VALUES (1, 'model.tar.gz', 'v1', 1, 1700000001.5, 3, 'etag', 'sha256:00');
INSERT INTO object_pin (holder, bucket_id, object_key, version_id, facts) VALUES ('arn', 1, 'model.tar.gz', 'v1', '{}');
INSERT INTO pinned_part (pin, number, size, digest, checksum_value) VALUES (1, 0, 3, 'sha256:00', '');
