import {
  GetPublicKeyCommand,
  KMSClient,
  type KMSClientConfig,
  MessageType,
  SignCommand,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms';
import { keyFromSpki, type PublicSealKey } from '../../lib/audit/seal-key.ts';
import type { SealSigner } from '../../lib/services/trail/sealing.ts';
import { boundedClient } from '../../lib/store/table/dynamodb-client.ts';

export const kmsClient = (config: KMSClientConfig = {}): KMSClient =>
  new KMSClient({ ...boundedClient(), ...config });

interface HeldKey extends PublicSealKey {
  readonly arn: string;
}

/** Signs with Ed25519 keys in KMS, which they never leave. `arns`: oldest first. Public keys are asked for once. */
export const kmsSigner = (client: KMSClient, arns: readonly string[]): SealSigner => {
  let held: Promise<readonly HeldKey[]> | undefined;
  const publicKey = async (arn: string): Promise<HeldKey> => {
    const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId: arn }));
    if (PublicKey === undefined) throw new Error(`KMS gave no public key of ${arn}`);
    return { ...keyFromSpki(PublicKey), arn };
  };
  const keys = (): Promise<readonly HeldKey[]> => {
    held ??= Promise.all(arns.map(publicKey)).catch((error: unknown) => {
      held = undefined;
      throw error;
    });
    return held;
  };
  return {
    keys,
    sign: async (key, message) => {
      const arn = (await keys()).find(({ id }) => id === key)?.arn;
      const { Signature } = await client.send(
        new SignCommand({
          KeyId: arn,
          Message: message,
          MessageType: MessageType.RAW,
          SigningAlgorithm: SigningAlgorithmSpec.ED25519_SHA_512,
        }),
      );
      if (Signature === undefined) throw new Error(`KMS gave no signature by ${arn}`);
      return Signature;
    },
  };
};
