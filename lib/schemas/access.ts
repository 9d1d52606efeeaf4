import * as z from 'zod';
import { Id } from './common.ts';

const AccessRole = z.enum(['admin', 'operator', 'tenant', 'agent', 'break-glass']);

/** May this principal do this to that? Roles and scope are in its token, so whoever asks says them. */
export const AccessQuestion = z.strictObject({
  action: z.string().min(1).max(60).meta({ description: 'a Cedar action, e.g. allocate' }),
  roles: z
    .array(AccessRole)
    .min(1)
    .optional()
    .meta({ description: 'needed unless the principal is a key: what its token says' }),
  tenant: Id.optional().meta({ description: 'the tenant it speaks for' }),
  labscape: Id.optional().meta({ description: 'the labscape it speaks for' }),
  object: z
    .strictObject({
      tenant: Id.optional(),
      labscape: Id.optional(),
      resource: Id.optional(),
      adoptedOn: Id.optional(),
    })
    .default({})
    .meta({ description: 'whose it is; nothing for the whole fleet' }),
});
export type AccessQuestion = z.infer<typeof AccessQuestion>;

export const AccessAnswer = z.object({
  principal: z.string(),
  action: z.string(),
  allowed: z.boolean(),
  status: z.enum(['active', 'revoked']),
  decidedBy: z
    .array(z.string())
    .meta({ description: 'policies that decided, by @id; none if none permits it' }),
  errors: z.array(z.string()).meta({ description: 'policies that failed to evaluate' }),
  rolesThatMay: z.array(AccessRole).meta({ description: 'each within the scope of the object' }),
  why: z.string(),
});
export type AccessAnswer = z.infer<typeof AccessAnswer>;
