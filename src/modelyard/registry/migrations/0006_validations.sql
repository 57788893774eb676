-- Validations of packages that are not over. `name` is that of the model and of the transform job that are made for one; `state` is
-- NotStarted, InProgress, or Abandoned when its package is gone. `definition` is the TransformJobDefinition, as JSON.
CREATE TABLE package_validation (
    id {identity},
    package_id BIGINT NOT NULL UNIQUE,
    arn {text} NOT NULL,
    name {text} NOT NULL,
    profile {text} NOT NULL,
    role {text} NOT NULL,
    definition {text} NOT NULL,
    state {text} NOT NULL
);
