import { CorruptItem } from '../table/attributes.ts';

/** What numbers are short for: a byte counts where a hundred of them are written with every beat. */
const EXPONENT_LEAST = -20;
const EXPONENT_MOST = 43;
/** Figures up to this come back as 0. */
export const LEAST_FIGURE = 2 ** EXPONENT_LEAST;
/** Bits behind the binary point; six more are the exponent, 2^−20 to 2^43. */
const FINE_BITS = 18;
const COARSE_BITS = 10;

const codeOf = (figure: number, bits: number): number => {
  if (!(figure > 0)) return 0;
  let exponent = Math.floor(Math.log2(figure));
  let mantissa = Math.round((figure / 2 ** exponent - 1) * 2 ** bits);
  // The logarithm is not exact, and rounding may carry.
  if (mantissa < 0 || mantissa >= 2 ** bits) {
    exponent += mantissa < 0 ? -1 : 1;
    mantissa = Math.min(2 ** bits - 1, Math.max(0, Math.round((figure / 2 ** exponent - 1) * 2 ** bits)));
  }
  if (figure < LEAST_FIGURE) return 0;
  if (exponent > EXPONENT_MOST) return 64 * 2 ** bits - 1;
  return (exponent - EXPONENT_LEAST) * 2 ** bits + mantissa;
};

const figureOf = (code: number, bits: number): number => {
  if (code === 0) return 0;
  const exponent = Math.floor(code / 2 ** bits) + EXPONENT_LEAST;
  return 2 ** exponent * (1 + (code % 2 ** bits) / 2 ** bits);
};

/** Writes whole numbers, figures and short texts one behind the other. */
export class ByteWriter {
  #bytes = new Uint8Array(2_048);
  #length = 0;

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow();
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  /** A whole number from 0 to 2^53: seven bits a byte, the lowest first. */
  whole(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  /** A figure of 0 or more in three bytes: wrong by 2 millionths of it at most; below 2^−20 it is 0. */
  fine(figure: number): void {
    this.#big(codeOf(figure, FINE_BITS), 3);
  }

  /** A figure of 0 or more in two bytes: wrong by half a thousandth of it at most; below 2^−20 it is 0. */
  coarse(figure: number): void {
    this.#big(codeOf(figure, COARSE_BITS), 2);
  }

  text(value: string): void {
    const bytes = Buffer.from(value);
    this.whole(bytes.length);
    for (const byte of bytes) this.byte(byte);
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #big(value: number, size: number): void {
    for (let shift = size - 1; shift >= 0; shift -= 1) this.byte(Math.floor(value / 256 ** shift) % 256);
  }

  #grow(): void {
    const grown = new Uint8Array(2 * this.#bytes.length);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads what a ByteWriter wrote; throws CorruptItem where it ends too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new CorruptItem('packed pulses end too early');
    this.#at += 1;
    return value;
  }

  whole(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte % 128) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  fine(): number {
    return figureOf(this.#big(3), FINE_BITS);
  }

  coarse(): number {
    return figureOf(this.#big(2), COARSE_BITS);
  }

  text(): string {
    const length = this.whole();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new CorruptItem('packed pulses end too early');
    const value = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, length).toString();
    this.#at = end;
    return value;
  }

  #big(size: number): number {
    let value = 0;
    for (let count = 0; count < size; count += 1) value = value * 256 + this.byte();
    return value;
  }
}
