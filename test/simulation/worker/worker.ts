import { startEngine } from '../../../infra/local/database/engine.ts';
import { readTemplate } from '../../../infra/local/template/template.ts';
import { type WatchResult, watch } from '../availability/availability-history.ts';
import { MUTATIONS } from '../mutations/mutations.ts';
import { runSeed, type SeedOptions, type SeedResult } from '../run-seed.ts';
import { parseOrdinals } from '../world/ordinals.ts';
import { EngineLine } from './engine-line.ts';
import type { Job, Reply } from './worker-job.ts';

/** Runs histories for its parent, one after the other, on an engine of its own. The argument is the assembly's folder. */
const engine = await startEngine();
const line = new EngineLine(engine.url);
const place = {
  template: readTemplate(process.argv[2] ?? '', { IssuerKeys: '{"keys":[]}' }),
  engine: line,
  engineUrl: engine.url,
};

const resultOf = async (job: Job): Promise<SeedResult | WatchResult> => {
  if (job.kind === 'watch') return watch({ ...job, ...place });
  const leftOut = parseOrdinals(job.leftOut ?? '');
  const faultFactor = job.factor ?? 1;
  const sdk = job.sdk ?? false;
  const result = await runSeed({
    seed: job.seed,
    leftOut,
    faultFactor,
    sdk,
    ...mutated(job.mutation),
    ...place,
  });
  return job.trace === true || result.breaches.length > 0 ? result : { ...result, trace: [] };
};

const mutated = (name: string | undefined): Partial<SeedOptions> => {
  if (name === undefined) return {};
  const mutation = MUTATIONS.find((one) => one.name === name);
  if (mutation === undefined) throw new Error(`no mutation is called ${name}`);
  return { mutate: mutation.mutate(), faultFactor: mutation.faultFactor };
};

process.on('message', (job: Job) => {
  resultOf(job).then(
    (result) => process.send?.({ result } satisfies Reply),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.once('disconnect', () => {
  line.close();
  void engine.stop().then(() => process.exit(0));
});
