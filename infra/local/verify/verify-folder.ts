import type { ChainHead } from '../../../lib/audit/event.ts';
import { Fold } from '../../../lib/audit/fold.ts';
import type { FoldedState } from '../../../lib/audit/fold-state.ts';
import type { PublicSealKey } from '../../../lib/audit/seal-key.ts';
import { checkSeals } from '../../../lib/audit/seal-trust.ts';
import { copyFindings } from '../../../lib/audit/verify/archived-seals.ts';
import { chainFindings } from '../../../lib/audit/verify/chains.ts';
import type { Finding } from '../../../lib/audit/verify/finding.ts';
import { stateFindings } from '../../../lib/audit/verify/state.ts';
import { WindowCheck } from '../../../lib/audit/verify/windows.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import { Seal, SealKey } from '../../../lib/schemas/seal.ts';
import { archiveKeys, readWindow } from '../../../lib/services/trail/seal-archive.ts';
import type { ObjectStore } from '../../../lib/store/objects.ts';
import { asError } from '../errors.ts';
import { type OpenedCopy, openCopy } from './opened-copy.ts';
import { readAudit, readChains, readState } from './read-folder.ts';

export interface VerifyOptions {
  readonly dataDir: string;
  /** What an auditor holds; without it the folder's own keys are believed. */
  readonly publicKey?: PublicSealKey | undefined;
  readonly pruned?: boolean;
  readonly progress?: (text: string) => void;
}

export interface Verified {
  readonly verified: boolean;
  readonly events: number;
  readonly chains: number;
  readonly resources: number;
  readonly allocations: number;
  readonly seals: number;
  /** End of the last seal, epoch ms. */
  readonly sealedUntil: number;
  /** Events after that. */
  readonly unsealed: number;
  /** Events of before that are in no seal yet: late ones. */
  readonly waiting: number;
  readonly pruned: number;
  /** Ids of the keys that signed. */
  readonly keys: readonly string[];
  readonly trusted: string | undefined;
  readonly faults: readonly Finding[];
  readonly ms: number;
  /** Processor time of this process, which a busy machine does not stretch as it does `ms`. */
  readonly cpuMs: number;
  /** Memory of this process at its most, MiB. */
  readonly peakMiB: number;
}

/** Checks all that a data folder says happened, with nothing running and nothing believed but the public key. */
export const verifyFolder = async (options: VerifyOptions): Promise<Verified> => {
  const copy = await openCopy(options.dataDir);
  try {
    return await verifyCopy(copy, options);
  } finally {
    await copy.close();
  }
};

/** The same of tables and an archive that are open. */
export const verifyCopy = async (
  copy: OpenedCopy,
  { publicKey, pruned = false, progress = () => {} }: Omit<VerifyOptions, 'dataDir'>,
): Promise<Verified> => {
  const startedMs = performance.now();
  const audit = await readAudit(copy, (items) => progress(`reading the audit: ${items} items`));
  const state = await readState(copy, (items) => progress(`reading the state: ${items} items`));
  progress('reading the archive');
  const archived = await readArchive(copy.archive);
  const windows = new WindowCheck(audit.events, pruned);
  for (const [index, seal] of audit.seals.entries()) {
    progress(`comparing seals: ${index} of ${audit.seals.length}`);
    await takeWindow(copy.archive, seal, windows);
  }
  windows.end(audit.seals.at(-1));
  const { chains, chainFaults, folded } = await replay(copy, windows, state.heads, progress);
  progress('rebuilding the state');
  const stateFaults = stateFindings(folded, state, state.groups);
  progress('checking seals');
  const keys = [...audit.keys, ...archived.keys];
  const sealFaults = checkSeals(audit.seals, keys, publicKey).map(
    ({ seal, fault, why }): Finding => ({ check: 'seals', item: `seal ${seal}`, fault, why }),
  );
  const faults = [
    ...audit.findings,
    ...state.findings,
    ...chainFaults,
    ...stateFaults,
    ...sealFaults,
    ...copyFindings(audit.seals, archived.seals, audit.drafts),
    ...archived.findings,
    ...windows.findings,
  ];
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    verified: faults.length === 0,
    events: audit.events.size,
    chains,
    resources: state.resources.length,
    allocations: state.allocations.length,
    seals: audit.seals.length,
    sealedUntil: audit.seals.at(-1)?.to ?? 0,
    ...{ unsealed: windows.unsealed, waiting: windows.waiting, pruned: windows.restored },
    keys: [...new Set(audit.seals.map(({ key }) => key))],
    trusted: publicKey?.id,
    faults,
    ms: Math.round(performance.now() - startedMs),
    cpuMs: Math.round((userCPUTime + systemCPUTime) / 1_000),
    peakMiB: Math.round(maxRSS / 1024),
  };
};

/** Each chain by itself: against its head, and into the fold. */
const replay = async (
  copy: OpenedCopy,
  windows: WindowCheck,
  heads: ReadonlyMap<string, ChainHead>,
  progress: (text: string) => void,
): Promise<{ chains: number; chainFaults: readonly Finding[]; folded: FoldedState }> => {
  const fold = new Fold();
  const chainFaults: Finding[] = [];
  const unseen = new Set(heads.keys());
  let chains = 0;
  const take = (entity: string, chain: readonly AuditEvent[]): void => {
    chainFaults.push(...chainFindings(entity, chain, heads.get(entity)));
    unseen.delete(entity);
    fold.add(entity, chain);
    chains += 1;
  };
  const counted = (items: number) => progress(`checking chains: ${items} items`);
  for await (const { entity, events } of readChains(copy, counted))
    take(entity, windows.whole(entity, events));
  for (const entity of windows.onlyArchived()) take(entity, windows.whole(entity, []));
  for (const entity of unseen) chainFaults.push(...chainFindings(entity, [], heads.get(entity)));
  return { chains, chainFaults, folded: fold.state() };
};

const takeWindow = async (archive: ObjectStore, seal: Seal, windows: WindowCheck): Promise<void> => {
  let events: readonly AuditEvent[] | undefined;
  try {
    events = await readWindow(archive, seal);
  } catch (error) {
    const item = `seal ${seal.number}`;
    const why = `its events in the archive cannot be read: ${asError(error).message}`;
    windows.findings.push({ check: 'archive', item, fault: 'unreadable', why });
    return;
  }
  windows.take(seal, events);
};

interface Archived {
  readonly seals: readonly Seal[];
  readonly keys: readonly SealKey[];
  readonly findings: readonly Finding[];
}

const readArchive = async (archive: ObjectStore): Promise<Archived> => {
  const [seals, keys, findings]: [Seal[], SealKey[], Finding[]] = [[], [], []];
  for (const prefix of [archiveKeys.seals, archiveKeys.keys])
    for await (const key of allKeys(archive, prefix))
      try {
        const value: unknown = JSON.parse(Buffer.from((await archive.get(key)) ?? []).toString('utf8'));
        if (prefix === archiveKeys.seals) seals.push(Seal.parse(value));
        else keys.push(SealKey.parse(value));
      } catch (error) {
        const why = asError(error).message;
        findings.push({ check: 'archive', item: key, fault: 'unreadable', why });
      }
  return { seals, keys, findings };
};

async function* allKeys(archive: ObjectStore, prefix: string): AsyncGenerator<string, void> {
  let after: string | undefined;
  do {
    const keys: readonly string[] = await archive.list(prefix, after);
    yield* keys;
    after = keys.at(-1);
  } while (after !== undefined);
}
