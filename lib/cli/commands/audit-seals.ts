import { readFile } from 'node:fs/promises';
import { type FoundSealFault, type ProofFault, proofFaults } from '../../audit/seal.ts';
import { keyFromText, type PublicSealKey } from '../../audit/seal-key.ts';
import { checkSeals, keysById } from '../../audit/seal-trust.ts';
import { PAGE_SIZE_MAX } from '../../schemas/common.ts';
import type { Proof, Seal, SealKey } from '../../schemas/seal.ts';
import { type Context, EXIT, type ExitCode, UsageError } from '../command.ts';
import { counted, instant } from '../format.ts';
import { table } from '../table.ts';

/** Beginning of a hash or key that is shown. */
const SHOWN = 12;
/** Seals that are listed for people: the newest. */
const LISTED_MAX = 20;

export async function readPublicKey(path: string | undefined): Promise<PublicSealKey | undefined> {
  if (path === undefined) return undefined;
  try {
    return keyFromText(await readFile(path, 'utf8'));
  } catch (error) {
    throw new UsageError(
      `${path} is no Ed25519 public key: ${error instanceof Error ? error.message : error}`,
    );
  }
}

const keysOf = async ({ client }: Context): Promise<readonly SealKey[]> =>
  (await client.call('listSealKeys')).items;

/** Every seal, and what is wrong with them; each hash and signature is computed here. */
export async function checkedSeals(
  context: Context,
  trusted: PublicSealKey | undefined,
): Promise<{ readonly seals: readonly Seal[]; readonly faults: readonly FoundSealFault[] }> {
  const seals: Seal[] = [];
  for await (const seal of context.client.pages('listSeals', { query: { limit: PAGE_SIZE_MAX } }))
    seals.push(seal);
  return { seals, faults: checkSeals(seals, await keysOf(context), trusted) };
}

const trustLine = (trusted: PublicSealKey | undefined): string =>
  trusted === undefined
    ? 'with the keys that the control plane names; give --public-key FILE for one that you hold'
    : 'with the public key that you gave';

export async function showSeals(context: Context, keyFile: string | undefined): Promise<ExitCode> {
  const trusted = await readPublicKey(keyFile);
  const { seals, faults } = await checkedSeals(context, trusted);
  const verified = faults.length === 0;
  context.show({ verified, faults, seals }, () => {
    if (seals.length === 0) return 'Nothing is sealed yet.';
    const rows = seals
      .slice(-LISTED_MAX)
      .map(({ number, from, to, count, late, root, key }) => [
        ...[String(number), from === 0 ? 'the beginning' : instant(from), instant(to), String(count)],
        ...[String(late), root.slice(0, SHOWN), key.slice(0, SHOWN)],
      ]);
    const titles = ['SEAL', 'FROM', 'TO', 'EVENTS', 'LATE', 'ROOT', 'KEY'].map((title) => ({ title }));
    return [
      table(titles, rows, (text) => context.paint('dim', text)),
      sealsLine(context, seals.length, faults, trusted),
    ].join('\n');
  });
  return verified ? EXIT.done : EXIT.failed;
}

/** One line if all is well, else one for each fault. */
export const sealsLine = (
  { paint }: Context,
  count: number,
  faults: readonly FoundSealFault[],
  trusted: PublicSealKey | undefined,
): string =>
  faults.length === 0
    ? `${paint('green', 'verified')}: ${counted(count, 'seal')}, one chain, signed, ${trustLine(trusted)}`
    : faults.map(({ seal, fault, why }) => `${paint('red', `seal ${seal}: ${fault}`)}: ${why}`).join('\n');

export async function showKeys(context: Context): Promise<ExitCode> {
  const keys = await keysOf(context);
  context.show(keys, () =>
    keys.length === 0
      ? 'Nothing is sealed yet, so there is no key.'
      : keys.map(({ id, x, since }) => `${id}  x ${x}  from seal ${since}`).join('\n'),
  );
  return EXIT.done;
}

/** Asks for the proof and checks it here; where another key is trusted than the seal's, the seals in between as well. */
export async function showProof(
  context: Context,
  entity: string,
  rev: number,
  keyFile: string | undefined,
): Promise<ExitCode> {
  const trusted = await readPublicKey(keyFile);
  const proof = await context.client.call('proveEvent', { query: { entity, rev } });
  const faults = await faultsOf(context, proof, { entity, rev }, trusted);
  const verified = faults.length === 0;
  context.show({ verified, faults, ...proof }, () => {
    const { event, seal, index, path } = proof;
    const what = `${event.entity}/${event.rev} ${event.type} at ${instant(event.at)}`;
    const where = `event ${index + 1} of ${seal.count} in seal ${seal.number}, by ${path.length} hashes`;
    return verified
      ? `${context.paint('green', 'proved')}: ${what}\n${where}, ${trustLine(trusted)}`
      : `${context.paint('red', `not proved: ${faults.join(', ')}`)}\n${what}\n${where}`;
  });
  return verified ? EXIT.done : EXIT.failed;
}

async function faultsOf(
  context: Context,
  proof: Proof,
  asked: { readonly entity: string; readonly rev: number },
  trusted: PublicSealKey | undefined,
): Promise<readonly (ProofFault | 'another-event' | 'another-seal')[]> {
  const { event, seal } = proof;
  const keys = keysById(await keysOf(context));
  const faults: (ProofFault | 'another-event' | 'another-seal')[] = [...proofFaults(proof, keys)];
  if (event.entity !== asked.entity || event.rev !== asked.rev) faults.push('another-event');
  if (trusted === undefined || trusted.id === seal.key) return faults;
  const { seals, faults: inChain } = await checkedSeals(context, trusted);
  if (!seals.some(({ hash, number }) => hash === seal.hash && number === seal.number))
    faults.push('another-seal');
  return [...faults, ...inChain.map(({ fault }) => fault)];
}
