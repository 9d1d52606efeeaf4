import { connect, type Socket } from 'node:net';

export interface EngineAnswer {
  readonly status: number;
  readonly body: string;
}

interface Waiting {
  readonly resolve: (answer: EngineAnswer) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const WRITES: ReadonlySet<string> = new Set(['TransactWriteItems', 'UpdateItem', 'PutItem']);
const TABLE = /"TableName":"([^"]+)"/g;
/** The engine reads the header and checks no signature. */
const AUTHORIZATION =
  'AWS4-HMAC-SHA256 Credential=simulation/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0';

/**
 * A line to the engine: one request at a time, in order. Written on a bare socket, with just as much of HTTP as the
 * engine speaks: node:http takes a fifth of a history's time.
 */
export class EngineLine {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #parts: Buffer[] = [];
  #received = 0;
  /** Bytes of the answer that arrives, and where its body begins; -1 until its head is complete. */
  #expected = -1;
  #bodyAt = -1;
  readonly #writes = new Map<string, number>();

  constructor(url: string) {
    this.#socket = connect(Number(new URL(url).port), '127.0.0.1').setNoDelay(true);
    this.#socket.on('data', (part: Buffer) => this.#hear(part));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the engine closed the line')));
  }

  /** `body`: DynamoDB's JSON. */
  call(operation: string, body: string): Promise<EngineAnswer> {
    if (WRITES.has(operation))
      for (const [, table = ''] of body.matchAll(TABLE)) this.#writes.set(table, this.writesTo(table) + 1);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(
        `POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-amz-target: DynamoDB_20120810.${operation}\r\n` +
          `content-type: application/x-amz-json-1.0\r\nx-amz-date: 20260101T000000Z\r\nauthorization: ${AUTHORIZATION}\r\n` +
          `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
  }

  /** How often a write of this table was sent, whatever became of it. */
  writesTo(table: string): number {
    return this.#writes.get(table) ?? 0;
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #hear(part: Buffer): void {
    this.#parts.push(part);
    this.#received += part.length;
    if (this.#expected < 0 && !this.#head()) return;
    if (this.#received < this.#expected) return;
    const all = this.#joined();
    const answer = {
      status: Number(all.toString('latin1', 9, 12)),
      body: all.toString('utf8', this.#bodyAt, this.#expected),
    };
    const rest = all.subarray(this.#expected);
    this.#parts = [];
    this.#received = 0;
    this.#expected = -1;
    this.#waiting.shift()?.resolve(answer);
    if (rest.length > 0) this.#hear(rest);
  }

  /** Looks for the end of the head; false while it is not there. */
  #head(): boolean {
    const all = this.#joined();
    const end = all.indexOf(HEAD_END, 0, 'latin1');
    if (end < 0) return false;
    const length = LENGTH.exec(all.toString('latin1', 0, end + 2))?.[1];
    if (length === undefined) {
      this.#socket.destroy(new Error('an answer without its length'));
      return false;
    }
    this.#bodyAt = end + HEAD_END.length;
    this.#expected = this.#bodyAt + Number(length);
    return true;
  }

  #joined(): Buffer {
    const [first] = this.#parts;
    if (first !== undefined && this.#parts.length === 1) return first;
    const all = Buffer.concat(this.#parts);
    this.#parts = [all];
    return all;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
