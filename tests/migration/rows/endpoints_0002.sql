INSERT INTO endpoint (account, region, folded, name, created, modified, status, config_name, state, revision)
VALUES ('111122223333', 'us-east-1', 'e', 'E', 1700000000.5, 1700000000.5, 'InService', 'c', '{}', 1);
INSERT INTO endpoint_deployment (endpoint, number, kind, plan, config_name, started, started_by, result, document)
VALUES (1, 1, 'Create', 1, 'c', 1700000000.5, 'arn:aws:iam::111122223333:user/u', 'Succeeded', '{}');
INSERT INTO deployed_package (deployment, package_arn, variant)
VALUES (1, 'arn:aws:sagemaker:us-east-1:111122223333:model-package/g/1', 'v');
INSERT INTO fleet_server (name, place, address, alive_until)
VALUES ('s', '/data', '127.0.0.1:9100', 1700000020.5);
