import * as z from 'zod';

/** Whether what was moved away from a resource goes home when it is back: never, when somebody says so, or by itself. */
const FAILBACK_MODES = ['off', 'ask', 'automatic'] as const;

const DAY_MS = 86_400_000;
const span = z.int().min(0).max(DAY_MS);
const failback = z.enum(FAILBACK_MODES);

/** A labscape's policy about resources that come back after a failure. */
export const ReturnFields = {
  probationMs: span.default(30_000).meta({
    description: 'how long placement brings nothing to a resource that came back by itself, ms',
  }),
  slowStartMs: span.default(60_000).meta({
    description: 'how long its share of its bounds then takes to grow to all of them, ms',
  }),
  failback: failback.default('off').meta({
    description: 'whether what was moved away goes home when the resource is as any other again',
  }),
};
export const ReturnPatch = {
  probationMs: span.optional(),
  slowStartMs: span.optional(),
  failback: failback.optional(),
};

export const RETURN_POLICY_DEFAULT = z.object(ReturnFields).parse({});
