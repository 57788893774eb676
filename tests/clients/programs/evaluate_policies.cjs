// Decides cases with @cloud-copilot/iam-simulate: a JSON list on standard input, for each its result or what kept it from one.
const path = require("path");
const { loadPolicy } = require("@cloud-copilot/iam-policy");
const { anonymousPrincipal } = require("@cloud-copilot/iam-simulate");

// Its own entry points check requests against catalogues of actions, or leave session policies out: this goes one step below.
const inside = (name) => require(path.join(path.dirname(require.resolve("@cloud-copilot/iam-simulate")), name));
const { authorize } = inside("core_engine/CoreSimulatorEngine.js");
const { AwsRequestImpl } = inside("request/request.js");
const { RequestContextImpl } = inside("requestContext.js");
const { DiscoveryContextKeyConstraints } = inside("context_keys/discoveryContextKeyConstraints.js");

const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
const organisation = () => [{ orgIdentifier: "o-1", policies: [loadPolicy(everything, { name: "everything" })] }];
const maybe = (document, name) => (document === null ? undefined : loadPolicy(document, { name }));

function decide(one) {
  const request = new AwsRequestImpl(
    one.principal === null ? anonymousPrincipal : one.principal,
    { resource: one.resource, accountId: one.owner },
    one.action,
    new RequestContextImpl(one.context),
  );
  return authorize({
    request,
    sessionPolicy: maybe(one.session, "session"),
    identityPolicies: one.identity.map((document, number) => loadPolicy(document, { name: `identity-${number}` })),
    serviceControlPolicies: organisation(),
    resourceControlPolicies: organisation(),
    resourcePolicy: maybe(one.policy, "resource"),
    permissionBoundaries: one.boundary === null ? undefined : [loadPolicy(one.boundary, { name: "boundary" })],
    vpcEndpointPolicies: undefined,
    simulationParameters: { simulationMode: "Strict", discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
  }).result;
}

function tried(one) {
  try {
    return decide(one);
  } catch (error) {
    return `Error: ${error.message}`;
  }
}

const cases = JSON.parse(require("fs").readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(cases.map(tried)));
