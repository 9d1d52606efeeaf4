import { parseArgs } from 'node:util';
import { startEngine } from '../../infra/local/engine.ts';
import { synthesise } from '../../infra/local/synthesise.ts';
import { readTemplate } from '../../infra/local/template.ts';
import { EngineLine } from './engine-line.ts';
import { runSeed } from './run-seed.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
  },
});
process.env['POWERTOOLS_LOG_LEVEL'] = 'SILENT';
process.env['POWERTOOLS_METRICS_DISABLED'] = 'true';
const engine = await startEngine();
const line = new EngineLine(engine.url);
const template = readTemplate(await synthesise(), { IssuerKeys: '{"keys":[]}' });
const began = performance.now();
let steps = 0;
for (let seed = Number(values.from); seed < Number(values.from) + Number(values.seeds); seed += 1) {
  const result = await runSeed({ seed, template, engine: line, engineUrl: engine.url });
  steps += result.steps;
  const struck = [...result.faults.values()].reduce((a, b) => a + b, 0);
  process.stdout.write(
    `seed ${seed}: ${result.steps} steps, ${struck} faults, converged in ${Math.round(result.convergedMs)} ms, availability ${(result.served / result.asked).toFixed(4)}, ${result.hash.slice(0, 8)} ${result.breaches
      .map((b) => `!! ${b.invariant} ${b.what}`)
      .join('; ')
      .slice(0, 1500)}\n`,
  );
  if (values.trace) process.stdout.write(`${result.trace.join('\n')}\n`);
}
process.stdout.write(`${steps} steps in ${Math.round(performance.now() - began)} ms\n`);
line.close();
await engine.stop();
