/** The dependency rule of docs/architecture.md. Type imports count: a type is knowledge, too. */

const DOMAINS = 'allocation|failover|health|protocol|audit|security|optimisation';
/** What every layer shares. */
const SHARED = '^lib/(schemas/|(vector|spread)\\.ts$|clock\\.ts$|errors\\.ts$)';
/** An npm package, found or not. */
const npm = (names) => `(^|node_modules/)(${names})(/|$)`;
/** Node's modules and packages; what else they may not import has a rule of its own. */
const NOT_OURS = '^(?!(lib|functions|infra|test)/)';

const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

module.exports = {
  forbidden: [
    forbid('no-cycles', 'What needs each other belongs together.', {}, { circular: true }),
    forbid(
      'domains-are-islands',
      'Decisions import their own folder and what all share: neither the store nor another domain.',
      { path: `^lib/(${DOMAINS})/` },
      { pathNot: ['^lib/$1/', SHARED, NOT_OURS] },
    ),
    forbid(
      'domains-are-pure',
      'Decisions know neither AWS nor Lambda.',
      { path: `^lib/(${DOMAINS})/` },
      { path: npm('@aws-sdk|@aws-lambda-powertools|@middy|aws-lambda|aws-cdk-lib') },
    ),
    forbid(
      'schemas-are-the-floor',
      'Schemas, clock, errors, vectors and spread keys import nothing above them.',
      { path: SHARED },
      { pathNot: [SHARED, NOT_OURS] },
    ),
    forbid(
      'only-the-store-knows-dynamodb',
      'One place translates errors and conditions, of S3 as well; the composition root makes the client.',
      { pathNot: ['^lib/store/', '^functions/runtime\\.ts$', '^test/', '^infra/local/', 'node_modules'] },
      { path: npm('@aws-sdk/client-dynamodb|@aws-sdk/lib-dynamodb|@aws-sdk/client-s3') },
    ),
    forbid(
      'store-is-below-services',
      'Imports go down: the store serves, it does not call.',
      { path: '^lib/store/' },
      { path: '^lib/(services|workflow|http|agent|client|cli)/' },
    ),
    forbid(
      'services-are-below-chains',
      'Use cases do not know who called them.',
      { path: '^lib/services/' },
      { path: '^lib/(workflow|http|agent|client|cli)/' },
    ),
    forbid(
      'chains-are-apart',
      'The API chain and the task chain are two ways in; neither is part of the other.',
      { path: '^lib/(http|workflow)/' },
      { path: '^lib/(http|workflow|agent|client|cli)/', pathNot: '^lib/$1/' },
    ),
    forbid(
      'lib-stands-alone',
      'How things are deployed is no part of what they do.',
      { path: '^lib/' },
      { path: ['^(functions|infra|test)/', npm('aws-cdk-lib|constructs')] },
    ),
    forbid(
      'functions-are-thin',
      'A function imports lib, its own folder and the files beside the folders.',
      { path: '^functions/([^/]+)' },
      { path: '^(functions|infra|test)/', pathNot: ['^functions/$1', '^functions/[^/]+\\.ts$'] },
    ),
    forbid(
      'hosts-and-desks-use-the-public-api',
      'What runs outside knows the API only, and the audit chain, which it checks itself.',
      { path: '^lib/(agent|client|cli)/' },
      { pathNot: ['^lib/$1/', '^lib/client/', '^lib/audit/', '^lib/http/routes\\.ts$', SHARED, NOT_OURS] },
    ),
    forbid(
      'hosts-and-desks-need-no-cloud',
      'An agent is installed on hosts that have nothing to do with AWS.',
      { path: '^lib/(agent|client|cli)/' },
      { path: npm('@aws-sdk|@aws-lambda-powertools|@middy|aws-lambda') },
    ),
  ],
  options: {
    // Read as written, so that type imports are seen. TypeScript 7 has no JS API; the cruiser falls back to swc.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
