import { join } from 'node:path';
import { App, Tags } from 'aws-cdk-lib';
import recommendedFlags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { ROUTES } from '../lib/http/routes.ts';
import { acknowledge } from './acknowledgements.ts';
import { bundleFunctions, ROOT } from './bundle.ts';
import { loadStage } from './config.ts';
import { ControlPlaneStack } from './control-plane-stack.ts';
import { checkPolicies } from './policies.ts';
import { addRules } from './rules.ts';
import { StateStack } from './state-stack.ts';

// Before anything is made of them.
checkPolicies();
const outdir = process.env['CDK_OUTDIR'] ?? join(ROOT, 'cdk.out');
const app = new App({
  outdir,
  context: {
    ...recommendedFlags,
    // The state stack must not be deletable from under its consumer; a weak reference would let it.
    '@aws-cdk/core:defaultCrossStackReferences': 'strong',
  },
});
const config = loadStage((key) => app.node.tryGetContext(key));
const stores = new StateStack(app, `labscape-${config.stage}-state`, {
  config,
  terminationProtection: !config.disposable,
});
new ControlPlaneStack(app, `labscape-${config.stage}`, {
  config,
  stores,
  bundles: bundleFunctions(join(outdir, 'bundles')),
  routes: ROUTES,
});
for (const [key, value] of Object.entries({ ...config.tags, 'labscape:stage': config.stage }))
  Tags.of(app).add(key, value);
acknowledge(app, config);
addRules(app);
app.synth();
