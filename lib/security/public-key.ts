import { Buffer } from 'node:buffer';
import { createPublicKey, type KeyObject } from 'node:crypto';

const RAW_BYTES = 32;

/** A verifying key of its raw public part; throws if that is no point of the curve. */
export const keyObjectOf = (x: string): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });

/** The raw public part, base64url, of an Ed25519 public key in PEM (SPKI) or base64 of either alphabet; else undefined. */
export function readPublicKey(text: string): string | undefined {
  try {
    return text.trim().startsWith('-----') ? pemKey(text.trim()) : rawKey(text.trim());
  } catch {
    return undefined;
  }
}

function pemKey(text: string): string | undefined {
  if (!text.startsWith('-----BEGIN PUBLIC KEY-----')) return undefined;
  const key = createPublicKey(text);
  return key.asymmetricKeyType === 'ed25519' ? key.export({ format: 'jwk' }).x : undefined;
}

function rawKey(text: string): string | undefined {
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== RAW_BYTES) return undefined;
  const x = bytes.toString('base64url');
  keyObjectOf(x);
  return x;
}
