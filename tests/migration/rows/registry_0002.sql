INSERT INTO model_package_group (account, region, folded, name, created, next_version, last_created, policy, document)
VALUES ('111122223333', 'us-east-1', 'fraud', 'Fraud', 1700000000.5, 2, 1700000001.5, NULL, '{"ModelPackageGroupName": "Fraud"}');
INSERT INTO search_space (account, region, kind) VALUES ('111122223333', 'us-east-1', 'ModelPackageGroup');
INSERT INTO search_name (space_id, name) VALUES (1, 'ModelPackageGroupName');
INSERT INTO search_name (space_id, name) VALUES (1, 'CreationTime');
INSERT INTO search_item (space_id, resource_key, modified, tags, record) VALUES (1, 'fraud', 1700000000.5, NULL, '[1, "Fraud"]');
INSERT INTO search_text (name_id, value, item_id) VALUES (1, 'Fraud', 1);
INSERT INTO search_number (name_id, value, item_id) VALUES (2, 1700000000.5, 1);
