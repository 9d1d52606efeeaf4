import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { Resolver, type Stack, TemplateShape } from './intrinsics.ts';

const Manifest = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.object({ path: z.string() }),
      destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
    }),
  ),
});

/** A resource of a template with its intrinsic functions resolved. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly arn: () => string;
  readonly properties: unknown;
}

/** What `cdk synth` leaves: templates, and the files they refer to. */
export class Assembly {
  readonly #dir: string;
  readonly #resources: readonly Resource[];
  readonly #assets = new Map<string, string>();

  /** `parameters` are CloudFormation parameters by name. */
  constructor(dir: string, parameters: Readonly<Record<string, string>>) {
    this.#dir = dir;
    const stacks = this.#readStacks();
    const resolver = new Resolver(stacks, parameters);
    this.#resources = stacks.flatMap((stack) =>
      Object.entries(stack.template.Resources).map(([id, { Type, Properties }]) => ({
        id,
        type: Type,
        name: resolver.nameOf(id, stack),
        arn: () => resolver.arnOf(id, stack),
        // Only what is emulated has to be understood.
        get properties() {
          return resolver.resolve(Properties, stack);
        },
      })),
    );
    this.#readAssets();
  }

  ofType(type: string): Resource[] {
    return this.#resources.filter((resource) => resource.type === type);
  }

  types(): string[] {
    return [...new Set(this.#resources.map((resource) => resource.type))];
  }

  /** Folder of an asset by the key under which a deployment would upload it. */
  asset(key: string): string {
    const path = this.#assets.get(key);
    if (path === undefined) throw new Error(`no asset ${key} in ${this.#dir}`);
    return path;
  }

  #readStacks(): Stack[] {
    const suffix = '.template.json';
    const files = readdirSync(this.#dir).filter((file) => file.endsWith(suffix));
    if (files.length === 0) throw new Error(`no templates in ${this.#dir}: run cdk synth`);
    return files.map((file) => ({
      name: file.slice(0, -suffix.length),
      template: TemplateShape.parse(this.#readJson(file)),
    }));
  }

  #readAssets(): void {
    const files = readdirSync(this.#dir).filter((file) => file.endsWith('.assets.json'));
    for (const file of files)
      for (const { source, destinations } of Object.values(Manifest.parse(this.#readJson(file)).files))
        for (const { objectKey } of Object.values(destinations))
          this.#assets.set(objectKey, join(this.#dir, source.path));
  }

  #readJson(file: string): unknown {
    return JSON.parse(readFileSync(join(this.#dir, file), 'utf8'));
  }
}
