import * as z from 'zod';
import { Statement } from '../functions/iam.ts';
import type { Assembly } from './assembly.ts';

const FunctionShape = z.object({
  Code: z.object({ S3Key: z.string() }),
  Handler: z.string().regex(/^\w+\.\w+$/),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
  Layers: z.array(z.string()).default([]),
  MemorySize: z.int(),
  Timeout: z.int(),
  Role: z.string(),
});
const LayerShape = z.object({ Content: z.object({ S3Key: z.string() }) });
const Document = z.object({ Statement: z.array(Statement) });
const PolicyShape = z.object({ PolicyDocument: Document, Roles: z.array(z.string()) });
const RoleShape = z.object({
  ManagedPolicyArns: z.array(z.unknown()).length(0, 'managed policies are not emulated').default([]),
  Policies: z.array(z.object({ PolicyDocument: Document })).default([]),
});

export interface LocalFunction {
  /** Logical id: unique over the template, stable over deployments. */
  readonly id: string;
  readonly name: string;
  readonly arn: string;
  readonly codeDir: string;
  readonly layerDirs: readonly string[];
  /** `FILE.EXPORT`. */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly timeoutS: number;
  readonly roleArn: string;
  /** Everything its role says. */
  readonly statements: readonly Statement[];
}

export function readFunctions(assembly: Assembly): LocalFunction[] {
  const layers = new Map(
    assembly
      .ofType('AWS::Lambda::LayerVersion')
      .map(({ arn, properties }) => [arn(), assembly.asset(LayerShape.parse(properties).Content.S3Key)]),
  );
  const statements = readStatements(assembly);
  return assembly.ofType('AWS::Lambda::Function').map(({ id, name, arn, properties }) => {
    const shape = FunctionShape.parse(properties);
    return {
      id,
      name,
      arn: arn(),
      codeDir: assembly.asset(shape.Code.S3Key),
      layerDirs: shape.Layers.map((layerArn) => {
        const dir = layers.get(layerArn);
        if (dir === undefined) throw new Error(`function ${name}: no layer ${layerArn}`);
        return dir;
      }),
      handler: shape.Handler,
      environment: shape.Environment.Variables,
      memoryMiB: shape.MemorySize,
      timeoutS: shape.Timeout,
      roleArn: shape.Role,
      statements: statements.get(shape.Role) ?? [],
    };
  });
}

/** Statements by the ARN of the role that they are attached to. */
function readStatements(assembly: Assembly): Map<string, Statement[]> {
  const byRole = new Map<string, Statement[]>();
  const arnOf = new Map<string, string>();
  for (const { name, arn, properties } of assembly.ofType('AWS::IAM::Role')) {
    const inline = RoleShape.parse(properties).Policies.flatMap((policy) => policy.PolicyDocument.Statement);
    byRole.set(arn(), inline);
    arnOf.set(name, arn());
  }
  for (const { properties } of assembly.ofType('AWS::IAM::Policy')) {
    const { PolicyDocument, Roles } = PolicyShape.parse(properties);
    for (const role of Roles) byRole.get(arnOf.get(role) ?? '')?.push(...PolicyDocument.Statement);
  }
  return byRole;
}
