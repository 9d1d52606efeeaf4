import type { FoldedState } from '../../audit/fold-state.ts';

/** An operator's way out for what events do not tell enough of. */
const WAY_OUT =
  'restore it from the tables as they were at a point in time (--from tables:), or from a backup that has it';

/**
 * What is lost, and cannot be made again, with all that hangs together with it: a resource, its groups, their members.
 * That is left as it is, so that nothing of it is counted twice or given away; all else is restored.
 */
export class Left {
  readonly #folded: FoldedState;
  readonly #why: { readonly resource: string | undefined; readonly text: string }[] = [];
  readonly resources = new Set<string>();
  readonly groups = new Set<string>();
  /** By `tenant#id`. */
  readonly allocations = new Set<string>();
  /** Whose lost slices nobody can fill. */
  readonly tenants = new Set<string>();

  constructor(folded: FoldedState) {
    this.#folded = folded;
  }

  resource(id: string, why: string): void {
    this.#say(`resource ${id}`, why, id);
    this.#leaveResource(id);
  }

  group(id: string): void {
    const home = this.#folded.groups.get(id)?.resource;
    this.#say(`group ${id}`, '', home);
    this.#leaveGroup(id);
  }

  allocation(id: string): void {
    const then = this.#folded.allocations.get(id);
    const home = this.#folded.groups.get(then?.group ?? '')?.resource;
    this.#say(`allocation ${id}`, '', home);
    this.#leaveGroup(then?.group ?? '');
    this.allocations.add(id);
    if (then !== undefined) this.tenants.add(then.tenant);
  }

  /** It is made again, but for what it runs. */
  spec(id: string): void {
    const home = this.#folded.groups.get(this.#folded.allocations.get(id)?.group ?? '')?.resource;
    const [tenant] = id.split('#');
    const text = `allocation ${id}: it keeps its place and does not run, for no event tells its spec: tenant ${tenant} asks for it once more, with the same body and Idempotency-Key`;
    this.#why.push({ resource: home, text });
  }

  /** It owns no work. */
  other(entity: string): void {
    this.#why.push({
      resource: undefined,
      text: `${entity}: it was made after the backup and is lost; its events say what it was: write it anew`,
    });
  }

  /** One sentence each: what could not be brought back, and what to do; of those resources alone if given. */
  sentences(inScope?: (resource: string) => boolean): readonly string[] {
    return this.#why
      .filter(({ resource }) => inScope === undefined || (resource !== undefined && inScope(resource)))
      .map(({ text }) => text);
  }

  #say(what: string, why: string, resource: string | undefined): void {
    const beside = resource === undefined ? '' : `; resource ${resource} and its work are left as they are`;
    const reason = why === '' ? 'its events do not tell all of it' : why;
    this.#why.push({ resource, text: `${what}: it is lost, and ${reason}${beside}: ${WAY_OUT}` });
  }

  #leaveResource(id: string): void {
    if (this.resources.has(id)) return;
    this.resources.add(id);
    for (const group of this.#folded.resources.get(id)?.groups ?? []) this.#leaveGroup(group);
  }

  #leaveGroup(id: string): void {
    if (this.groups.has(id)) return;
    this.groups.add(id);
    const home = this.#folded.groups.get(id)?.resource;
    if (home !== undefined) this.#leaveResource(home);
  }
}
