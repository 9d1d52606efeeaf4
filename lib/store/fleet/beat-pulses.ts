import type { Pulse } from '../../health/detector.ts';
import { ITEM_VERSION, type Item, N, S } from '../table/attributes.ts';
import { absent, attributeEquals, type Condition } from '../table/update.ts';
import { packPulses, unpackPulses } from './pulse-block.ts';
import { packPulse, unpackPulse } from './pulse-text.ts';

/** Of heartbeat items: from 2 on there may be blocks of pulses. An older code would take their resources for never heard. */
export const BEAT_VERSION = 2;

/** Attributes by their first letters: pulses of an agent's resources, packed; one of version 1, as text; an agent's number. */
const BLOCK = 'b_';
export const TEXT = 'r_';
export const SEQ = 'a_';

/** Where an item keeps what it knows of resources and agents. */
export interface KeptPulses {
  /** Pulses of each agent's block. */
  readonly blocks: ReadonlyMap<string, ReadonlyMap<string, Pulse>>;
  /** Resources whose pulse is an attribute of its own. */
  readonly texts: ReadonlySet<string>;
  /** Each agent's last sequence number. */
  readonly seqs: ReadonlyMap<string, number>;
}

/**
 * What an item keeps, and the pulses by resource. A resource stands in one place; where two agents spoke for it at the
 * very same time it stands in two until the next batch of either, and what was heard later counts.
 */
export const keptPulses = (
  item: Item,
): { readonly kept: KeptPulses; readonly pulses: ReadonlyMap<string, Pulse> } => {
  const blocks = new Map<string, ReadonlyMap<string, Pulse>>();
  const texts = new Set<string>();
  const seqs = new Map<string, number>();
  const pulses = new Map<string, Pulse>();
  const take = (resource: string, pulse: Pulse): void => {
    const known = pulses.get(resource);
    if (known === undefined || known.lastAt <= pulse.lastAt) pulses.set(resource, pulse);
  };
  for (const [name, value] of Object.entries(item)) {
    const of = name.slice(2);
    if (name.startsWith(SEQ) && value.N !== undefined) seqs.set(of, Number(value.N));
    if (name.startsWith(TEXT) && value.S !== undefined) {
      texts.add(of);
      take(of, unpackPulse(value.S));
    }
    if (!name.startsWith(BLOCK) || value.B === undefined) continue;
    const block = unpackPulses(value.B);
    blocks.set(of, block);
    for (const [resource, pulse] of block) take(resource, pulse);
  }
  return { kept: { blocks, texts, seqs }, pulses };
};

/** What a batch does to the pulses of an item: attributes to set and to remove, and what must still be as it was seen. */
export interface PulseChanges {
  readonly set: Item;
  readonly remove: readonly string[];
  readonly conditions: readonly Condition[];
}

/** An agent's number is as it was seen: so is its block, and its replay guard holds. */
const seqIs = (agent: string, { seqs }: KeptPulses): Condition => {
  const seq = seqs.get(agent);
  return seq === undefined ? absent(`${SEQ}${agent}`) : attributeEquals(`${SEQ}${agent}`, N(seq));
};

/**
 * Puts a batch's pulses where they belong, and takes them out of wherever else they stand. Packed: into the agent's
 * block, beside what it said of other resources before. As text, for a rollout: the agent's whole block becomes text.
 */
export const pulseChanges = (
  kept: KeptPulses,
  { agent, seq, pulses }: { agent: string; seq: number; pulses: ReadonlyMap<string, Pulse> },
  packed: boolean,
): PulseChanges => {
  const set: Item = { [`${SEQ}${agent}`]: N(seq) };
  const remove: string[] = [];
  const conditions = [seqIs(agent, kept)];
  let foreign = 0;
  for (const [other, block] of kept.blocks) {
    if (other === agent) continue;
    const left = new Map([...block].filter(([resource]) => !pulses.has(resource)));
    if (left.size > 0) foreign += 1;
    if (left.size === block.size) continue;
    conditions.push(seqIs(other, kept));
    if (left.size === 0) remove.push(`${BLOCK}${other}`);
    else set[`${BLOCK}${other}`] = { B: packPulses(left) };
  }
  const own = new Map([...(kept.blocks.get(agent) ?? []), ...pulses]);
  if (packed) {
    set[`${BLOCK}${agent}`] = { B: packPulses(own) };
    for (const resource of pulses.keys()) if (kept.texts.has(resource)) remove.push(`${TEXT}${resource}`);
  } else {
    for (const [resource, pulse] of own) set[`${TEXT}${resource}`] = S(packPulse(pulse));
    if (kept.blocks.has(agent)) remove.push(`${BLOCK}${agent}`);
  }
  set['v'] = N(packed || foreign > 0 ? BEAT_VERSION : ITEM_VERSION);
  return { set, remove, conditions };
};
