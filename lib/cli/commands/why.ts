import * as z from 'zod';
import { ROUTES } from '../../http/routes.ts';
import { defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';

const ROLES = ['admin', 'operator', 'tenant', 'agent', 'break-glass'] as const;

/** An action, or the operation of a route, which asks for one. */
function actionOf(word: string): string {
  const route = ROUTES.find(({ operation }) => operation === word);
  if (route?.action === 'public') throw new UsageError(`everybody may ${word}`);
  return route?.action ?? word;
}

export const why = defineCommand({
  name: 'why',
  usage:
    'PRINCIPAL ACTION|OPERATION [--roles ROLE,…] [--tenant T] [--labscape L] [--of-tenant T] [--of-labscape L] [--of-resource R]',
  summary: 'why a principal may, or may not, do something: which policy decides, and who may otherwise',
  positionals: { min: 2, max: 2 },
  flags: z.object({
    roles: flag.list.pipe(z.array(z.enum(ROLES, { error: `must be of ${ROLES.join(', ')}` }))).optional(),
    tenant: flag.text.optional(),
    labscape: flag.text.optional(),
    'of-tenant': flag.text.optional(),
    'of-labscape': flag.text.optional(),
    'of-resource': flag.text.optional(),
  }),
  run: async (context, invocation) => {
    const { roles, tenant, labscape, ...of } = invocation.flags;
    const object = {
      ...(of['of-tenant'] !== undefined && { tenant: of['of-tenant'] }),
      ...(of['of-labscape'] !== undefined && { labscape: of['of-labscape'] }),
      ...(of['of-resource'] !== undefined && { resource: of['of-resource'] }),
    };
    const answer = await context.client.call('explainAccess', {
      params: { principal: positional(invocation, 0) },
      body: {
        ...{ action: actionOf(positional(invocation, 1)), object },
        ...(roles !== undefined && { roles }),
        ...(tenant !== undefined && { tenant }),
        ...(labscape !== undefined && { labscape }),
      },
    });
    const { principal, action, allowed } = answer;
    context.show(answer, () => `${principal} ${allowed ? 'may' : 'may not'} ${action}: ${answer.why}`);
    return EXIT.done;
  },
});
