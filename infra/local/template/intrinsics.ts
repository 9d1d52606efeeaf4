import * as z from 'zod';

/** Where a deployment on one machine pretends to be. The account is one that AWS never gives out. */
export const PARTITION = 'aws';
export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

const ResourceShape = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
});
export type ResourceShape = z.infer<typeof ResourceShape>;

export const TemplateShape = z.object({
  Resources: z.record(z.string(), ResourceShape),
  Parameters: z.record(z.string(), z.object({ Default: z.unknown().optional() })).default({}),
  Outputs: z
    .record(z.string(), z.object({ Value: z.unknown(), Export: z.object({ Name: z.string() }).optional() }))
    .default({}),
});

export interface Stack {
  readonly name: string;
  readonly template: z.infer<typeof TemplateShape>;
}

/** Types whose physical name the template may set, and the property that does. */
const NAME_PROPERTY: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::Table': 'TableName',
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::StepFunctions::StateMachine': 'StateMachineName',
  'AWS::Logs::LogGroup': 'LogGroupName',
  'AWS::IAM::Role': 'RoleName',
  'AWS::Events::Rule': 'Name',
};

const arn = (service: string, resource: string) =>
  `arn:${PARTITION}:${service}:${service === 'iam' ? '' : REGION}:${ACCOUNT}:${resource}`;

const ARN_OF: Readonly<Record<string, (name: string) => string>> = {
  'AWS::DynamoDB::Table': (name) => arn('dynamodb', `table/${name}`),
  'AWS::Lambda::Function': (name) => arn('lambda', `function:${name}`),
  'AWS::Lambda::LayerVersion': (name) => arn('lambda', `layer:${name}:1`),
  'AWS::StepFunctions::StateMachine': (name) => arn('states', `stateMachine:${name}`),
  'AWS::Logs::LogGroup': (name) => arn('logs', `log-group:${name}:*`),
  'AWS::IAM::Role': (name) => arn('iam', `role/${name}`),
  'AWS::KMS::Key': (name) => arn('kms', `key/${name}`),
  'AWS::Events::Rule': (name) => arn('events', `rule/${name}`),
  'AWS::SQS::Queue': (name) => arn('sqs', name),
  'AWS::S3::Bucket': (name) => `arn:${PARTITION}:s3:::${name}`,
};

/** Types whose Ref is the ARN and not the name. */
const REF_IS_ARN = new Set([
  'AWS::StepFunctions::StateMachine',
  'AWS::Lambda::LayerVersion',
  'AWS::Lambda::Alias',
]);

/** Their names are in lower case, and those of folders here, where nobody wants to read a hash. */
const BUCKET = 'AWS::S3::Bucket';
const HASH = /[0-9A-F]{8}$/;

/** There is one version of a function here, so an alias is the function. */
const ALIAS = 'AWS::Lambda::Alias';

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Partition': PARTITION,
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::URLSuffix': 'amazonaws.com',
};

/** Resolves CloudFormation's intrinsic functions, as far as our own stacks use them; any other is an error. */
export class Resolver {
  readonly #stacks: readonly Stack[];
  readonly #parameters: Readonly<Record<string, string>>;

  constructor(stacks: readonly Stack[], parameters: Readonly<Record<string, string>>) {
    this.#stacks = stacks;
    this.#parameters = parameters;
  }

  resolve(value: unknown, stack: Stack): unknown {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item, stack));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value);
    const [key, argument] = entries[0] ?? ['', undefined];
    if (entries.length === 1 && (key === 'Ref' || key.startsWith('Fn::')))
      return this.#intrinsic(key, argument, stack);
    return Object.fromEntries(entries.map(([name, inner]) => [name, this.resolve(inner, stack)]));
  }

  #intrinsic(key: string, argument: unknown, stack: Stack): unknown {
    switch (key) {
      case 'Ref':
        return this.#ref(z.string().parse(argument), stack);
      case 'Fn::GetAtt':
        return this.#attribute(z.tuple([z.string(), z.string()]).parse(argument), stack);
      case 'Fn::ImportValue':
        return this.#import(z.string().parse(this.resolve(argument, stack)));
      case 'Fn::Sub':
        return z
          .string()
          .parse(argument)
          .replace(/\$\{([^}]+)\}/g, (_, name: string) => String(this.#ref(name, stack)));
      case 'Fn::Join': {
        const [separator, parts] = z.tuple([z.string(), z.array(z.unknown())]).parse(argument);
        return parts.map((part) => String(this.resolve(part, stack))).join(separator);
      }
      default:
        throw new Error(`template of ${stack.name}: ${key} is not emulated`);
    }
  }

  #ref(id: string, stack: Stack): string {
    if (id === 'AWS::StackName') return stack.name;
    const pseudo = PSEUDO[id];
    if (pseudo !== undefined) return pseudo;
    if (id in stack.template.Parameters)
      return this.#parameters[id] ?? z.string().parse(stack.template.Parameters[id]?.Default);
    const { Type } = this.#resource(id, stack);
    return REF_IS_ARN.has(Type) ? this.arnOf(id, stack) : this.nameOf(id, stack);
  }

  #attribute([id, attribute]: [string, string], stack: Stack): string {
    if (attribute === 'Arn') return this.arnOf(id, stack);
    if (attribute === 'QueueName') return this.nameOf(id, stack);
    throw new Error(`template of ${stack.name}: attribute ${attribute} of ${id} is not emulated`);
  }

  #import(name: string): unknown {
    for (const stack of this.#stacks)
      for (const output of Object.values(stack.template.Outputs))
        if (output.Export?.Name === name) return this.resolve(output.Value, stack);
    throw new Error(`no stack exports ${name}`);
  }

  #resource(id: string, stack: Stack): ResourceShape {
    const resource = stack.template.Resources[id];
    if (resource === undefined) throw new Error(`template of ${stack.name}: no resource ${id}`);
    return resource;
  }

  /** Physical name: as the template sets it, else made from stack and logical id. */
  nameOf(id: string, stack: Stack): string {
    const { Type, Properties } = this.#resource(id, stack);
    const property = NAME_PROPERTY[Type];
    const given = property === undefined ? undefined : Properties[property];
    if (Type === BUCKET) return `${stack.name}-${id.replace(HASH, '')}`.toLowerCase();
    return given === undefined ? `${stack.name}-${id}` : z.string().parse(this.resolve(given, stack));
  }

  arnOf(id: string, stack: Stack): string {
    const { Type, Properties } = this.#resource(id, stack);
    if (Type === ALIAS)
      return arn('lambda', `function:${z.string().parse(this.resolve(Properties['FunctionName'], stack))}`);
    const make = ARN_OF[Type];
    if (make === undefined) throw new Error(`template of ${stack.name}: ARN of ${Type} is not emulated`);
    return make(this.nameOf(id, stack));
  }
}
