import type * as z from 'zod';
import type { AllocationInput } from '../../schemas/allocation.ts';
import type { LabscapeInput, LabscapePatch } from '../../schemas/labscape.ts';
import type { Resource, ResourceInput, ResourcePatch } from '../../schemas/resource.ts';
import type { TenantInput } from '../../schemas/tenant.ts';
import type { FieldChange } from './fields.ts';

export const KINDS = ['labscape', 'resource', 'tenant', 'work'] as const;
export type Kind = (typeof KINDS)[number];

/** One request that brings the fleet nearer to the file. */
export type Step =
  | { readonly call: 'join'; readonly body: z.input<typeof LabscapeInput> }
  | { readonly call: 'edit-labscape'; readonly cfg: number; readonly body: z.input<typeof LabscapePatch> }
  | { readonly call: 'register'; readonly body: z.input<typeof ResourceInput> }
  /** `seen`: what the changed fields were when the diff was made. */
  | {
      readonly call: 'edit-resource';
      readonly seen: Pick<Resource, 'capacity' | 'labels'>;
      readonly body: z.input<typeof ResourcePatch>;
    }
  | { readonly call: 'put-tenant'; readonly body: z.input<typeof TenantInput> }
  | { readonly call: 'adopt'; readonly key: string; readonly body: z.input<typeof AllocationInput> }
  | { readonly call: 'drain' }
  | { readonly call: 'retire' };

/**
 * What the file wants of one part of the fleet. `create`, `change` and `prune` have steps; `refused` cannot be had, so
 * that nothing of the file is applied; `extra` is in the fleet but not in the file.
 */
export interface Change {
  readonly kind: Kind;
  readonly id: string;
  readonly action: 'create' | 'change' | 'unchanged' | 'refused' | 'extra' | 'prune';
  readonly fields: readonly FieldChange[];
  /** Why it is refused, or what is done with what is not in the file. */
  readonly note?: string;
  readonly steps: readonly Step[];
}

export const unchanged = (kind: Kind, id: string): Change => ({
  ...{ kind, id, action: 'unchanged', fields: [], steps: [] },
});
export const refused = (
  kind: Kind,
  id: string,
  note: string,
  fields: readonly FieldChange[] = [],
): Change => ({
  ...{ kind, id, action: 'refused', fields, note, steps: [] },
});

export const hasSteps = ({ steps }: Change): boolean => steps.length > 0;
