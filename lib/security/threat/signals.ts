import type { ProblemCode } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { isNeverLockedOut } from '../never-starved.ts';

/** What may be the sign of an attack. `scope` and `place` say where a principal is active, and alone mean nothing. */
export const SIGNALS = [
  'bad-token',
  'forbidden',
  'revoked-use',
  'over-limit',
  'malformed',
  'replay',
  'release',
  'scope',
  'place',
] as const;
export type Signal = (typeof SIGNALS)[number];

/** Refusals that count, by what they may be the sign of. Everything else is an ordinary mistake. */
const SIGNAL_OF: Readonly<Partial<Record<ProblemCode, Signal>>> = {
  unauthenticated: 'bad-token',
  forbidden: 'forbidden',
  'principal-revoked': 'revoked-use',
  quarantined: 'revoked-use',
  'too-many-requests': 'over-limit',
  'body-too-large': 'malformed',
  'headers-too-large': 'malformed',
  'bad-json': 'malformed',
  'replayed-heartbeat': 'replay',
  'replayed-signature': 'replay',
};

export const signalOf = (code: ProblemCode): Signal | undefined => SIGNAL_OF[code];

/** A refusal by the authoriser or by a handler's chain. */
export interface Refusal {
  readonly code: ProblemCode;
  readonly principal?: string | undefined;
  readonly route: string;
  readonly sourceIp?: string | undefined;
  /** Epoch ms. */
  readonly atMs: number;
  /** Known once the token has been verified. */
  readonly caller?: Caller | undefined;
}

/** Takes a refusal note of; never throws, never waits. */
export type ReportRefusal = (refusal: Refusal) => void;

/** An address cut to its network, so that no host is named: IPv4 to 24 bits, IPv6 to 48. */
export function networkOf(sourceIp: string | undefined): string {
  if (sourceIp === undefined) return 'unknown';
  const v4 = /^(?:::ffff:)?(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$/i.exec(sourceIp)?.[1];
  if (v4 !== undefined) return `${v4}.0/24`;
  if (!/^[0-9a-f:]{2,39}$/i.test(sourceIp)) return 'unknown';
  const [head = ''] = sourceIp.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  return `${[...groups, '0', '0', '0'].slice(0, 3).join(':')}::/48`;
}

/** Whom a signal is about: a principal whose token was good, else a network. `p:` and `n:` keep them apart. */
export const subjectOf = (principal: string | undefined, network: string): string =>
  principal === undefined ? `n:${network}` : `p:${principal}`;

/** What is counted of one signal of one subject. Lists are bounded; `others` gathers subjects beyond the bound. */
export interface SignalRow {
  readonly signal: Signal;
  readonly subject: string;
  readonly count: number;
  readonly tenant?: string | undefined;
  readonly labscapes: readonly string[];
  readonly networks: readonly string[];
  readonly codes: readonly string[];
  readonly routes: readonly string[];
  /** Of signal `scope`: where it acts for the first time since this instance runs. */
  readonly scopes: readonly string[];
  /** Nothing automatic may lock it out. */
  readonly guarded: boolean;
}

export const isGuarded = (caller: Caller | undefined): boolean =>
  caller !== undefined && isNeverLockedOut(caller);
