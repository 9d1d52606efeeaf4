import * as z from 'zod';
import { type AwsCall, type AwsEndpoint, AwsError, startAwsEndpoint } from '../aws-endpoint.ts';
import { Guard, type PermissionUse } from '../functions/guard.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import type { SigningKeys } from './signing-keys.ts';

const ALGORITHM = 'ED25519_SHA_512';
/** What KMS takes of a message that is not hashed before. */
const MESSAGE_BYTES_MAX = 4096;
const OfKey = z.object({ KeyId: z.string() });
const Sign = OfKey.extend({
  Message: z.base64(),
  MessageType: z.literal('RAW'),
  SigningAlgorithm: z.literal(ALGORITHM),
});

export interface KmsEndpoint extends AwsEndpoint {
  permissionsUsed(): readonly PermissionUse[];
}

/** KMS as far as our functions speak it: Sign and GetPublicKey of the template's Ed25519 keys, by their ARN. */
export async function startKmsEndpoint(options: {
  readonly callers: ReadonlyMap<string, LocalFunction>;
  /** ARNs of the template's signing keys. */
  readonly arns: readonly string[];
  readonly keys: SigningKeys;
  readonly guards: boolean;
}): Promise<KmsEndpoint> {
  const guard = options.guards ? new Guard() : undefined;
  const endpoint = await startAwsEndpoint(options.callers, async (call) => ({
    status: 200,
    body: JSON.stringify(answer(call)),
  }));
  return { ...endpoint, permissionsUsed: () => guard?.used() ?? [] };

  function answer(call: AwsCall): unknown {
    if (call.operation !== 'Sign' && call.operation !== 'GetPublicKey')
      throw new AwsError('UnknownOperationException', `${call.operation} is not emulated`);
    const { KeyId } = parse(OfKey, call.input);
    if (!options.arns.includes(KeyId))
      throw new AwsError('NotFoundException', `Key '${KeyId}' does not exist`);
    guard?.authorise(call.caller, `kms:${call.operation}`, KeyId);
    if (call.operation === 'GetPublicKey')
      return {
        ...{
          KeyId,
          KeySpec: 'ECC_NIST_EDWARDS25519',
          KeyUsage: 'SIGN_VERIFY',
          SigningAlgorithms: [ALGORITHM],
        },
        PublicKey: options.keys.publicKey(KeyId).toString('base64'),
      };
    const message = Buffer.from(parse(Sign, call.input).Message, 'base64');
    if (message.length > MESSAGE_BYTES_MAX)
      throw new AwsError('ValidationException', `a message of ${message.length} bytes is too long`);
    const Signature = options.keys.sign(KeyId, message).toString('base64');
    return { KeyId, Signature, SigningAlgorithm: ALGORITHM };
  }
}

function parse<T extends z.ZodType>(shape: T, input: unknown): z.infer<T> {
  const parsed = shape.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new AwsError('ValidationException', z.prettifyError(parsed.error));
}
