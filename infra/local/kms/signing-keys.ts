import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { HostError } from '../errors.ts';

/** PKCS#8, PEM, by the ARN of the key that it stands for. */
const Stored = z.record(z.string(), z.string());

/** Signing keys of one data folder: each is made at its first use and kept readable by its owner only. */
export class SigningKeys {
  readonly #file: string;
  readonly #keys = new Map<string, KeyObject>();

  constructor(file: string) {
    this.#file = file;
    if (!existsSync(file)) return;
    try {
      for (const [arn, pem] of Object.entries(Stored.parse(JSON.parse(readFileSync(file, 'utf8')))))
        this.#keys.set(arn, createPrivateKey(pem));
    } catch {
      throw new HostError(`${file} holds no signing keys: move it away, or choose another data folder.`);
    }
  }

  /** SubjectPublicKeyInfo, DER. */
  publicKey(arn: string): Buffer {
    return createPublicKey(this.#key(arn)).export({ type: 'spki', format: 'der' });
  }

  /** Ed25519. */
  sign(arn: string, message: Uint8Array): Buffer {
    return signWith(null, message, this.#key(arn));
  }

  #key(arn: string): KeyObject {
    const known = this.#keys.get(arn);
    if (known !== undefined) return known;
    const made = generateKeyPairSync('ed25519').privateKey;
    this.#keys.set(arn, made);
    this.#save();
    return made;
  }

  /** Whole or not at all: a key that signed must not be lost to a power cut in the middle of a write. */
  #save(): void {
    const stored = [...this.#keys].map(([arn, key]) => [arn, key.export({ type: 'pkcs8', format: 'pem' })]);
    const draft = `${this.#file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(Object.fromEntries(stored)), { mode: 0o600, flush: true });
    renameSync(draft, this.#file);
  }
}
