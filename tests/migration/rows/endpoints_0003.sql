INSERT INTO endpoint (account, region, folded, name, created, modified, status, config_name, serving, state, owner, revision)
VALUES ('111122223333', 'us-east-1', 'e', 'E', 1700000000.5, 1700000001.5, 'InService', 'c', 1, '{}', NULL, 3);
INSERT INTO endpoint_deployment
    (endpoint, number, kind, plan, config_name, started, started_by, ended, result, reason, document)
SELECT id, 1, 'Create', 1, 'c', 1700000000.5, 'arn:aws:iam::111122223333:user/u', 1700000001.5, 'Succeeded', NULL, '{}'
FROM endpoint;
INSERT INTO deployed_package (deployment, package_arn, variant)
SELECT id, 'arn:aws:sagemaker:us-east-1:111122223333:model-package/g/1', 'v' FROM endpoint_deployment;
INSERT INTO fleet_server (name, place, address, alive_until) VALUES ('s', 'p', '127.0.0.1:9100', 1700000004.5);
