import type { Item } from '../../store/table/attributes.ts';

/** An item as one line of JSON, as DynamoDB writes it: what is binary in base64. */
export const itemLine = (item: Item): string =>
  JSON.stringify(item, (name, value: unknown) =>
    name === 'B' && isBinary(value) ? Buffer.from(bytesOf(value)).toString('base64') : value,
  );

export const itemOfLine = (line: string): Item => {
  const item = JSON.parse(line) as Item;
  for (const [name, value] of Object.entries(item)) {
    const packed: unknown = value.B;
    if (typeof packed === 'string') item[name] = { B: new Uint8Array(Buffer.from(packed, 'base64')) };
  }
  return item;
};

/** A Buffer has become an object of its own by the time a replacer sees it. */
interface Spelled {
  readonly type: 'Buffer';
  readonly data: readonly number[];
}
const isSpelled = (value: unknown): value is Spelled => Object(value).type === 'Buffer';
const isBinary = (value: unknown): value is Uint8Array | Spelled =>
  isSpelled(value) || ArrayBuffer.isView(value);
const bytesOf = (value: Uint8Array | Spelled): Uint8Array =>
  isSpelled(value) ? Uint8Array.from(value.data) : value;
