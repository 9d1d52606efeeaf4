import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { startHost } from '../../infra/local/host.ts';
import type { KeyFile } from '../../lib/schemas/signing.ts';
import { temporaryFolder } from '../infra/support.ts';
import { problemOf, type RawAnswer, type RawRequest, Rig, until } from './rig.ts';
import { type Names, routes } from './samples.ts';
import { everyItem, newKey } from './signing-rig.ts';
import { newSite, type Site } from './site.ts';

export const principalOf = ({ kid }: KeyFile) => kid.split('/')[0] ?? '';
export const thumbprintOf = ({ kid }: KeyFile) => kid.split('/')[1] ?? '';

const namesAt = (at: Site, allocation: string): Names => ({
  ...{ labscape: at.labscape, resource: `${at.id}-r1`, tenant: at.tenant, allocation },
  ...{ principal: 'somebody', recovery: 'none', override: 'none', plan: 'none', run: 'none' },
});
const json = { 'content-type': 'application/json' };

export type Attack = readonly [what: string, request: RawRequest, status: number];

/** A host with logs and break-glass keys, two sites with work, and an agent of the first one that signs. */
export class Besieged {
  readonly rig: Rig;
  readonly folder: string;
  readonly site: Site;
  readonly away: Site;
  readonly mine: Names;
  readonly theirs: Names;
  readonly key: KeyFile;
  readonly #remove: () => void;
  #beats = Date.now();

  private constructor(
    parts: Pick<Besieged, 'rig' | 'folder' | 'site' | 'away' | 'mine' | 'theirs'>,
    remove: () => void,
  ) {
    this.rig = parts.rig;
    this.folder = parts.folder;
    this.site = parts.site;
    this.away = parts.away;
    this.mine = parts.mine;
    this.theirs = parts.theirs;
    this.key = newKey(`${parts.site.labscape}.host-1`);
    this.#remove = remove;
  }

  static async start(breakGlass: readonly unknown[] = []): Promise<Besieged> {
    const { path: folder, remove } = temporaryFolder();
    writeFileSync(join(folder, 'break-glass.json'), JSON.stringify(breakGlass));
    const rig = new Rig(await startHost({ port: 0, dataDir: folder, logLevel: 'INFO', schedules: false }));
    const [site, away] = [await newSite(rig), await newSite(rig)];
    const mine = namesAt(site, (await site.place(10)).id);
    const theirs = namesAt(away, (await away.place(10)).id);
    const besieged = new Besieged({ rig, folder, site, away, mine, theirs }, remove);
    await besieged.register(besieged.key);
    return besieged;
  }

  async stop(): Promise<void> {
    await this.rig.stop();
    this.#remove();
  }

  register(key: KeyFile, overlapMs = 0) {
    const params = { principal: principalOf(key) };
    return this.rig.admin.call('addKey', { params, body: { publicKey: key.x, overlapMs } });
  }

  /** Lines of the functions' logs that tell of a refusal. */
  #refusalsOnRecord(): number {
    const names = ['authorise', 'authorise-signed', ...new Set(routes.map((route) => route.function))];
    return names
      .map((name) => join(this.folder, 'logs', `labscape-local-${name}.log`))
      .map((file) => {
        try {
          return readFileSync(file, 'utf8');
        } catch {
          return '';
        }
      })
      .flatMap((text) => text.split('\n'))
      .filter((line) => line.includes('"code":"') && !line.includes('"_aws"')).length;
  }

  /**
   * Sends them all; each is refused as it should be, has its line in a log, and both tables are as before. `unseen` are
   * refused by the gateway itself, whose own log has them.
   */
  async expectRefused(attacks: readonly Attack[], unseen = 0): Promise<RawAnswer[]> {
    const before = await everyItem(this.rig);
    const seen = this.#refusalsOnRecord();
    const answers: RawAnswer[] = [];
    for (const [what, request, status] of attacks) {
      const answer = await this.rig.send(request);
      answers.push(answer);
      expect([what, problemOf(answer).status]).toEqual([what, status]);
    }
    expect(await everyItem(this.rig)).toEqual(before);
    const wanted = seen + attacks.length - unseen;
    await until('every refusal is on record', async () =>
      this.#refusalsOnRecord() >= wanted ? true : undefined,
    );
    return answers;
  }

  report(): RawRequest {
    return {
      ...{ method: 'POST', path: `/resources/${this.mine.resource}/reports`, headers: json },
      body: JSON.stringify({ agent: 'host-1', epoch: 1, stopped: [{ group: 'nothing', epoch: 1 }] }),
    };
  }

  reading(): RawRequest {
    return { method: 'GET', path: `/resources/${this.mine.resource}` };
  }

  beat(): RawRequest {
    this.#beats += 1;
    return {
      ...{ method: 'POST', path: `/labscapes/${this.site.labscape}/heartbeats`, headers: json },
      body: JSON.stringify({
        ...{ agent: 'host-1', seq: this.#beats },
        resources: [{ resource: this.mine.resource, epoch: 1, assignmentRevision: 1 }],
      }),
    };
  }
}
