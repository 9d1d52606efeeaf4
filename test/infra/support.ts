import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessKeys, Functions } from '../../infra/local/functions/functions.ts';
import type { Statement } from '../../infra/local/functions/iam.ts';
import { LogSink } from '../../infra/local/functions/logs.ts';
import type { LocalTable } from '../../infra/local/template/template.ts';
import type { LocalFunction } from '../../infra/local/template/template-functions.ts';

/** A folder for one test file, and how to remove it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'labscape-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A function whose bundle is `source`, the text of a CommonJS module. */
export function tinyFunction(
  folder: string,
  name: string,
  source: string,
  more: Partial<LocalFunction> = {},
): LocalFunction {
  const codeDir = join(folder, name);
  mkdirSync(codeDir, { recursive: true });
  writeFileSync(join(codeDir, 'index.js'), source);
  return {
    id: `Fn${name}`,
    name: `labscape-local-${name}`,
    arn: `arn:aws:lambda:us-east-1:000000000000:function:labscape-local-${name}`,
    codeDir,
    layerDirs: [],
    handler: 'index.handler',
    environment: {},
    memoryMiB: 128,
    timeoutS: 5,
    roleArn: `arn:aws:iam::000000000000:role/${name}`,
    statements: [],
    ...more,
  };
}

/** Hosts functions that need no AWS service. */
export function hostFunctions(functions: readonly LocalFunction[], sink = new LogSink(undefined)): Functions {
  const endpoints = {
    dynamodb: 'http://127.0.0.1:9',
    stepFunctions: 'http://127.0.0.1:9',
    s3: 'http://127.0.0.1:9',
    kms: 'http://127.0.0.1:9',
  };
  return new Functions({ functions, endpoints, sink }, accessKeys(functions));
}

export const allow = (action: string | string[], resource: string | string[]): Statement => ({
  Effect: 'Allow',
  Action: [action].flat(),
  Resource: [resource].flat(),
});

/** A table like the state table of the template, without indexes. */
export const tableOf = (name: string): LocalTable => ({
  id: name,
  name,
  arn: `arn:aws:dynamodb:us-east-1:000000000000:table/${name}`,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'N' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  GlobalSecondaryIndexes: [],
});
