import { expect } from '@jest/globals';
import type { Route } from '../../lib/http/routes.ts';
import type { Problem } from '../../lib/schemas/problem.ts';
import { problemOf, type RawAnswer, type RawRequest, type Rig } from './rig.ts';
import { goodRequest, headersOf, type Names, NO_INCIDENT, routes } from './samples.ts';
import { newSite } from './site.ts';

/** Routes with their names, as tables of tests take them. */
export const operations = (having: (route: Route) => boolean) =>
  routes.filter(having).map((route) => [route.operation, route] as const);

/** Requests at the same time: enough to be quick. */
const LANES = 8;

export interface Try extends RawRequest {
  readonly what: string;
  /** Who is at fault, as the answer must name it. */
  readonly field?: string;
}

/** What is wrong with an answer to a bad request. */
export function complaintAbout(one: Try, answer: RawAnswer): string | undefined {
  if (answer.status < 400 || answer.status >= 500) return `${answer.status} ${answer.text.slice(0, 200)}`;
  let problem: Problem;
  try {
    problem = problemOf(answer);
  } catch (error) {
    return String(error);
  }
  if (one.field === undefined) return undefined;
  const named = problem.errors?.some(
    ({ field, reason }) => field.startsWith(one.field ?? '') && reason.length > 3,
  );
  return named === true ? undefined : `${one.field} is not named: ${JSON.stringify(problem.errors)}`;
}

/** An admin who asks for what cannot be, of a fleet that has something to lose. */
export class Clumsy {
  readonly rig: Rig;
  readonly names: Names;
  readonly token: string;

  private constructor(rig: Rig, names: Names, token: string) {
    this.rig = rig;
    this.names = names;
    this.token = token;
  }

  static async of(rig: Rig): Promise<Clumsy> {
    const site = await newSite(rig);
    const { id: allocation } = await site.place(10);
    const names = {
      ...{ labscape: site.labscape, resource: `${site.id}-r1`, tenant: site.tenant, allocation },
      ...{ principal: 'somebody', recovery: 'none', override: 'none', plan: 'none', run: 'none' },
      incident: NO_INCIDENT,
    };
    return new Clumsy(rig, names, await rig.token({ sub: 'root', roles: ['admin'] }));
  }

  send(one: Try): Promise<RawAnswer> {
    return this.rig.send({ token: this.token, ...one });
  }

  /** A good request but for its body. */
  withText(route: Route, what: string, body: string | Buffer, headers = {}): Try {
    const all = { ...headersOf(route), ...headers };
    return { ...goodRequest(route, this.names), what, headers: all, body };
  }

  /** Sends them all; each must be refused as it should be, and leave everything as it was. */
  async expectRefused(tries: readonly Try[]): Promise<void> {
    const before = await this.rig.state();
    const complaints: { what: string; got: string }[] = [];
    const queue = [...tries];
    const lane = async () => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        const got = complaintAbout(one, await this.send(one));
        if (got !== undefined) complaints.push({ what: `${one.method} ${one.path} ${one.what}`, got });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(complaints).toEqual([]);
    expect(await this.rig.state()).toEqual(before);
  }
}
