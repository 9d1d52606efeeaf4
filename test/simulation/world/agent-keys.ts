import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { openKey, type SigningKey, signMessage } from '../../../lib/client/message-signature.ts';
import { SIGNED_PREFIX } from '../../../lib/schemas/signature.ts';
import { keyIdOf, thumbprintOf } from '../../../lib/schemas/signing.ts';

/** Where the control plane is, as signers and gateway know it. */
export const AUTHORITY = 'control.example';
/** What stands before the 32 bytes of an Ed25519 key in PKCS #8. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface Key extends SigningKey {
  readonly publicKey: string;
  readonly thumbprint: string;
}

/** Keys of one agent, the same for the same name and number: a history must not differ by its keys. */
export class AgentKeys {
  readonly principal: string;
  current: Key;
  #made = 0;
  #nonces = 0;

  constructor(principal: string) {
    this.principal = principal;
    this.current = this.next();
  }

  next(): Key {
    this.#made += 1;
    const seed = createHash('sha256').update(`${this.principal} ${this.#made}`).digest();
    const der = Buffer.concat([PKCS8, seed]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
    const { x: __, d = '', ...rest } = privateKey.export({ format: 'jwk' });
    const thumbprint = thumbprintOf(x);
    const kid = keyIdOf(this.principal, thumbprint);
    return { ...openKey({ ...rest, kty: 'OKP', crv: 'Ed25519', x, d, kid }), publicKey: x, thumbprint };
  }

  /** The request with its signature, made once: whoever delivers it twice delivers the same. */
  sign(method: string, path: string, body: string | undefined, nowS: number) {
    this.#nonces += 1;
    const nonce = `${this.principal.replace('.', '-')}-${String(this.#nonces).padStart(12, '0')}`;
    const url = new URL(`https://${AUTHORITY}${SIGNED_PREFIX}${path}`);
    const { keyId, thumbprint } = this.current;
    const headers = signMessage({ method, url, headers: {}, body }, this.current, nowS, nonce);
    return { headers, path: url.pathname, nonce, keyId, thumbprint };
  }
}
