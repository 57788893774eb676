INSERT INTO model_package_group (account, region, folded, name, created, next_version, last_created, policy, document)
VALUES ('111122223333', 'us-east-1', 'fraud', 'Fraud', 1700000000.5, 2, 1700000001.5, NULL, '{"ModelPackageGroupName": "Fraud"}');
INSERT INTO model_package (account, region, folded, version, group_id, approval, created, modified, metrics, document)
VALUES ('111122223333', 'us-east-1', 'fraud', 1, 1, 'Approved', 1700000001.5, 1700000001.5, NULL, '{"ModelPackageVersion": 1}');
INSERT INTO model_card (account, region, name, status, created, last_version)
VALUES ('111122223333', 'us-east-1', 'card', 'Draft', 1700000000.5, 1);
INSERT INTO model_card_version (card_id, version, status, created, document) VALUES (1, 1, 'Draft', 1700000000.5, '{}');
INSERT INTO model_card_export_job (card_id, name, version, status, created, document)
VALUES (1, 'export', 1, 'Completed', 1700000000.5, '{}');
INSERT INTO group_rule (group_id, kind, document) VALUES (1, 'approval', '{"Rules": {"RequiredApprovers": 2}}');
INSERT INTO version_decision (package_id, arn, decided, subject, principal, actor, state_before, state_after, reason, effective, counts)
VALUES (1, 'arn:aws:sagemaker:us-east-1:111122223333:model-package/fraud/1', 1700000001.5, 'ModelApprovalStatus', 'ana', 'ana', NULL, 'Approved', NULL, 1, 0);
INSERT INTO version_metadata (package_id, revision, created, author, document, searchable)
VALUES (1, 1, 1700000001.5, 'ana', '{"a": 1}', NULL);
INSERT INTO version_integrity (package_id, unhashed, document) VALUES (1, 0, '[]');
{sqlite} INSERT INTO version_signature (package_id, id, created, author, fingerprint, public_key, certificate, files, bundle)
VALUES (1, 'aa', 1700000002.5, 'ana', 'ff', 'key', NULL, '[]', x'00ff');
{postgresql} INSERT INTO version_signature (package_id, id, created, author, fingerprint, public_key, certificate, files, bundle)
VALUES (1, 'aa', 1700000002.5, 'ana', 'ff', 'key', NULL, '[]', decode('00ff', 'hex'));
