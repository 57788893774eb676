INSERT INTO model (account, region, folded, created, document, containers)
VALUES ('111122223333', 'us-east-1', 'm', 1700000000.5, '{"ModelName": "m"}', '[]');
INSERT INTO endpoint_config (account, region, folded, created, document)
VALUES ('111122223333', 'us-east-1', 'c', 1700000000.5, '{"EndpointConfigName": "c"}');
