import * as z from 'zod';
import {
  Allocation,
  AllocationInput,
  Constraints,
  RenewInput,
  Spec,
  SpecInput,
} from '../schemas/allocation.ts';
import { Assignment, Assignments, ReportAnswer, ReportInput } from '../schemas/assignment.ts';
import { AuditEvent, VerifyAnswer } from '../schemas/audit.ts';
import { BatchAnswer, BatchInput } from '../schemas/batch.ts';
import { Capacity, Demand, Vector } from '../schemas/common.ts';
import { DeviceDemand, DeviceIndexes, DeviceState, Devices } from '../schemas/devices.ts';
import { Explanation } from '../schemas/explanation.ts';
import { BeatEntry, HeartbeatAnswer, HeartbeatInput, Order } from '../schemas/heartbeat.ts';
import { Labscape, LabscapeInput, LabscapePatch, Policy } from '../schemas/labscape.ts';
import { Problem } from '../schemas/problem.ts';
import {
  ApprovalInput,
  Move,
  PendingGroup,
  PhaseResult,
  Recovery,
  RecoveryStarted,
} from '../schemas/recovery.ts';
import { ReasonInput, Resource, ResourceInput, ResourcePatch } from '../schemas/resource.ts';
import { Health, Status } from '../schemas/status.ts';
import { Principal, RevokeInput, Tenant, TenantInput } from '../schemas/tenant.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;
export type Direction = 'input' | 'output';

type Names = Readonly<Record<string, z.ZodType>>;

/** The same on the way in and out. */
const BOTH: Names = { Vector, Devices, DeviceIndexes };

const INPUTS: Names = {
  AllocationInput,
  ApprovalInput,
  BatchInput,
  BeatEntry,
  Capacity,
  // Their defaults, as the policy's, make fields optional on the way in only.
  ConstraintsInput: Constraints,
  Demand,
  DeviceDemandInput: DeviceDemand,
  HeartbeatInput,
  LabscapeInput,
  LabscapePatch,
  PolicyInput: Policy,
  ReasonInput,
  RenewInput,
  ReportInput,
  ResourceInput,
  ResourcePatch,
  RevokeInput,
  // One form in both directions: what a program cannot be started with is a rule beside it.
  Spec: SpecInput,
  TenantInput,
};

const OUTPUTS: Names = {
  Allocation,
  Assignment,
  Assignments,
  AuditEvent,
  BatchAnswer,
  Constraints,
  DeviceDemand,
  DeviceState,
  Explanation,
  Health,
  HeartbeatAnswer,
  Labscape,
  Move,
  Order,
  PendingGroup,
  PhaseResult,
  Policy,
  Principal,
  Problem,
  Recovery,
  RecoveryStarted,
  ReportAnswer,
  Resource,
  Spec,
  Status,
  Tenant,
  VerifyAnswer,
};

/** Zod's own registry with names added: descriptions stay, named schemas become references. */
class NamingRegistry extends z.core.$ZodRegistry<z.GlobalMeta> {
  readonly #names: ReadonlyMap<z.core.$ZodType, string>;

  constructor(names: Names) {
    super();
    this.#names = new Map(Object.entries(names).map(([name, schema]) => [schema, name]));
  }

  override get<S extends z.core.$ZodType>(schema: S) {
    const meta = z.globalRegistry.get(schema);
    const id = this.#names.get(schema);
    return id === undefined ? meta : { ...meta, id };
  }
}

const REGISTRIES: Readonly<Record<Direction, NamingRegistry>> = {
  input: new NamingRegistry({ ...BOTH, ...INPUTS }),
  output: new NamingRegistry({ ...BOTH, ...OUTPUTS }),
};

const LOCAL_REF = '#/$defs/';
const COMPONENT_REF = '#/components/schemas/';

/** Zod puts named schemas beside the one that uses them; the document has one place for all. */
function withComponentRefs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withComponentRefs);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const isRef = key === '$ref' && typeof member === 'string' && member.startsWith(LOCAL_REF);
      return [key, isRef ? COMPONENT_REF + member.slice(LOCAL_REF.length) : withComponentRefs(member)];
    }),
  );
}

/** Answers may gain fields, so clients must not be told that there are no others. */
function openAnswer(schema: z.core.$ZodTypes, json: z.core.JSONSchema.BaseSchema): void {
  if (schema._zod.def.type === 'object' && schema._zod.def.catchall === undefined) {
    delete json.additionalProperties;
  }
}

/** Zod says of every integer that it is exact; readers of the document need no such bounds. */
function dropExactness(json: z.core.JSONSchema.BaseSchema): void {
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
}

/** Collects the named schemas of everything that was converted. */
export class SchemaCollector {
  readonly #components = new Map<string, JsonSchema>();

  /** JSON Schema (2020-12, as in OpenAPI 3.1) of a schema; named ones become references. */
  convert(schema: z.ZodType, direction: Direction): JsonSchema {
    const {
      $defs,
      $schema: _,
      ...json
    } = z.toJSONSchema(schema, {
      io: direction,
      metadata: REGISTRIES[direction],
      override: ({ zodSchema, jsonSchema }) => {
        dropExactness(jsonSchema);
        if (direction === 'output') openAnswer(zodSchema, jsonSchema);
      },
    });
    for (const [name, definition] of Object.entries($defs ?? {})) {
      const { id: __, ...rest } = definition as Record<string, unknown>;
      this.#add(name, withComponentRefs(rest) as JsonSchema);
    }
    return withComponentRefs(json) as JsonSchema;
  }

  #add(name: string, definition: JsonSchema): void {
    const known = this.#components.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(definition)) {
      throw new Error(`schema ${name} differs by direction; give each its own name`);
    }
    this.#components.set(name, definition);
  }

  components(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#components].toSorted(([a], [b]) => a.localeCompare(b)));
  }
}
