INSERT INTO model_package_group (account, region, folded, name, created, next_version, last_created, policy, document)
VALUES ('111122223333', 'us-east-1', 'fraud', 'Fraud', 1700000000.5, 2, 1700000001.5, '{}', '{"ModelPackageGroupName": "Fraud"}');
INSERT INTO model_package (account, region, folded, version, group_id, approval, created, modified, metrics, document)
VALUES ('111122223333', 'us-east-1', 'fraud', 1, 1, 'Approved', 1700000001.5, 1700000002.5, NULL, '{"ModelPackageVersion": 1}');
INSERT INTO model_package (account, region, folded, version, group_id, approval, created, modified, metrics, document)
VALUES ('111122223333', 'us-east-1', 'alone', 0, NULL, NULL, 1700000003.5, 1700000003.5, NULL, '{"ModelPackageName": "alone"}');
