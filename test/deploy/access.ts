import { ROUTES } from '../../lib/http/routes.ts';
import { equal, must, refusedWith } from './check.ts';
import { clientFor, type Site, TENANT } from './site.ts';

const OPERATOR = { sub: 'op', roles: ['operator' as const] };

/** Who is let in, and who is not. */
export async function checkAccess(site: Site): Promise<void> {
  const { journal, url } = site;
  await journal.step('answers the public routes without a token', () => publicRoutes(site), String);
  await journal.step('refuses who sends no token', async () => {
    for (const path of ['/status', `/tenants/${TENANT}`])
      equal(`GET ${path}`, (await fetch(`${url}${path}`)).status, 401);
  });
  await journal.step(
    'refuses bad tokens',
    () => badTokens(site),
    (count) => `${count} kinds`,
  );
  await journal.step('refuses what a role does not allow', async () => {
    equal(
      'an operator joins a labscape',
      await refusedWith(operator(site).call('joinLabscape', { body: { id: 'x' } })),
      403,
    );
    equal('a tenant reads the fleet', await refusedWith(site.tenant.call('getStatus')), 403);
    const other = { params: { tenant: 'other' } };
    // Not even that it is there.
    equal("a tenant reads another's quota", await refusedWith(site.tenant.call('getTenant', other)), 404);
  });
  await journal.step('refuses a revoked principal from the next request on', async () => {
    const client = operator(site);
    await client.call('getStatus');
    const params = { principal: OPERATOR.sub };
    await site.admin.call('revokePrincipal', { params, body: { reason: 'deploy test' } });
    equal('a revoked operator', await refusedWith(client.call('getStatus')), 403);
    await site.admin.call('reinstatePrincipal', { params, body: { reason: 'deploy test' } });
    await client.call('getStatus');
  });
}

const operator = ({ url, mint }: Site) => clientFor(url, mint, OPERATOR);

async function publicRoutes({ url }: Site): Promise<string> {
  const [health, openapi] = await Promise.all([fetch(`${url}/health`), fetch(`${url}/openapi.json`)]);
  equal('GET /health', health.status, 200);
  const page = (await openapi.json()) as { openapi?: string; paths?: object };
  const paths = new Set(ROUTES.map((route) => route.path));
  equal('paths of /openapi.json', Object.keys(page.paths ?? {}).length, paths.size);
  return `OpenAPI ${page.openapi ?? ''} with ${paths.size} paths`;
}

async function badTokens({ url, mint, forge }: Site): Promise<number> {
  const admin = { sub: 'root', roles: ['admin' as const] };
  const good = await mint(admin);
  const [head = '', body = '', signature = ''] = good.split('.');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
  const tokens = {
    'no token at all': 'x',
    'of another key': await forge(admin),
    'of no algorithm': `${none}.${body}.`,
    expired: await mint({ ...admin, ttlSeconds: -3_600 }),
    'of a changed body': [
      head,
      Buffer.from('{"sub":"root","roles":["admin"]}').toString('base64url'),
      signature,
    ].join('.'),
  };
  for (const [kind, token] of Object.entries(tokens)) {
    const answer = await fetch(`${url}/status`, { headers: { authorization: `Bearer ${token}` } });
    must(`a token ${kind} is answered ${answer.status}`, answer.status === 403);
  }
  return Object.keys(tokens).length;
}
