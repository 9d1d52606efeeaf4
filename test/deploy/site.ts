import { randomUUID } from 'node:crypto';
import type { Mint, MintRequest } from '../../infra/local/gateway/issuer.ts';
import { type Client, createClient } from '../../lib/client/client.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import type { Cloud } from './cloud.ts';
import type { Journal } from './journal.ts';
import { ScriptedAgent } from './scripted-agent.ts';

export const LABSCAPE = 'lab';
export const RESOURCES = ['host-1', 'host-2', 'host-3', 'host-4'] as const;
export const TENANT = 'acme';
/** A tenant whose only allocation runs out, which nobody but the scheduled sweep notices. */
export const BRIEF_TENANT = 'brief';

export const even = (n: number): Vector => ({ processing: n, memory: n, storage: n, network: n });

/** What the steps of the test share. */
export interface Site {
  readonly journal: Journal;
  readonly cloud: Cloud;
  /** Of the deployed HTTP API. */
  readonly url: string;
  /** Tokens as the issuer of the stage signs them. */
  readonly mint: Mint;
  /** The same words under a key that the stage does not know. */
  readonly forge: Mint;
  readonly signal: AbortSignal;
  readonly admin: Client;
  readonly tenant: Client;
  readonly agent: ScriptedAgent;
}

/** A client that sends the tokens of one caller. */
export function clientFor(url: string, mint: Mint, caller: MintRequest): Client {
  const token = mint({ ...caller, ttlSeconds: 3_600 });
  return createClient({
    url,
    chance: { uniform: Math.random, id: randomUUID },
    token: () => token,
    userAgent: 'labscape-deploy-test',
  });
}

export function siteAt(given: Omit<Site, 'admin' | 'tenant' | 'agent'>): Site {
  const { url, mint } = given;
  const agent = { sub: 'agent-lab', roles: ['agent' as const], labscape: LABSCAPE };
  return {
    ...given,
    admin: clientFor(url, mint, { sub: 'root', roles: ['admin'] }),
    tenant: clientFor(url, mint, { sub: 'acme-owner', roles: ['tenant'], tenant: TENANT }),
    agent: new ScriptedAgent(clientFor(url, mint, agent), agent.sub, LABSCAPE, RESOURCES),
  };
}
