import { RemovalPolicy } from 'aws-cdk-lib';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/**
 * Ed25519 keys that sign seals, oldest first; they never leave KMS. A further one is announced in a seal that the one
 * before signs. Old ones stay: a seal that was drafted before the change may still want its signature.
 */
export const sealKeys = (scope: Construct, config: StageConfig): readonly Key[] =>
  Array.from(
    { length: config.sealKeys },
    (_, index) =>
      new Key(scope, `SealKey${index + 1}`, {
        description: `Labscape ${config.stage}: signs seals of the audit, ${index + 1}`,
        keySpec: KeySpec.ECC_NIST_EDWARDS25519,
        keyUsage: KeyUsage.SIGN_VERIFY,
        removalPolicy: config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      }),
  );
