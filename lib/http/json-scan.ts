/**
 * One pass over JSON text before `JSON.parse`. It finds what `JSON.parse` lets through (a name twice in one object:
 * two readers could see two different requests) and says where, which `JSON.parse` does not always.
 */

/** Deeper than any schema of ours; keeps later recursive walks shallow. */
const JSON_DEPTH_MAX = 20;

/** Values of a text, all levels together: items of one byte each would fit 32,000 into a body. */
export const JSON_VALUES_MAX = 8_192;

/** Names of all objects together: a batch of 100 heartbeats with everything in it has under 2,000. */
export const JSON_NAMES_MAX = 4_096;

/** Names with a meaning to JavaScript objects; no schema of ours uses them. */
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

export interface JsonFault {
  readonly what: string;
  /** Offset into the text. */
  readonly at: number;
}

const SPACE = /[ \t\n\r]*/y;
const TOKEN =
  /[{}[\]:,]|"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

/** What may come next. `first…` also allow the closing bracket of an empty container. */
type Expect = 'value' | 'first item' | 'first name' | 'name' | 'colon' | 'comma' | 'end';

interface Frame {
  readonly close: '}' | ']';
  readonly names: Set<string>;
}

const WANTED: Readonly<Record<Expect, string>> = {
  value: 'a value',
  'first item': "a value or ']'",
  'first name': "a name in double quotes or '}'",
  name: 'a name in double quotes',
  colon: "':'",
  comma: "',' or the closing bracket",
  end: 'the end of the text',
};

class Scan {
  readonly #text: string;
  readonly #frames: Frame[] = [];
  #expect: Expect = 'value';
  #at = 0;
  #values = 0;
  #names = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): JsonFault | undefined {
    for (;;) {
      SPACE.lastIndex = this.#at;
      SPACE.test(this.#text);
      this.#at = SPACE.lastIndex;
      if (this.#at === this.#text.length) return this.#expect === 'end' ? undefined : this.#wanted();
      TOKEN.lastIndex = this.#at;
      const token = TOKEN.exec(this.#text)?.[0];
      const fault = token === undefined ? this.#wanted() : this.#take(token);
      if (fault !== undefined) return fault;
      this.#at = TOKEN.lastIndex;
    }
  }

  #fault(what: string): JsonFault {
    return { what, at: this.#at };
  }

  #wanted(): JsonFault {
    return this.#fault(`expected ${WANTED[this.#expect]}`);
  }

  #afterValue(): undefined {
    this.#expect = this.#frames.length === 0 ? 'end' : 'comma';
    return undefined;
  }

  #take(token: string): JsonFault | undefined {
    switch (this.#expect) {
      case 'end':
        return this.#wanted();
      case 'colon':
        if (token !== ':') return this.#wanted();
        this.#expect = 'value';
        return undefined;
      case 'comma':
        return this.#takeComma(token);
      case 'first name':
        return token === '}' ? this.#close() : this.#takeName(token);
      case 'name':
        return this.#takeName(token);
      case 'first item':
        return token === ']' ? this.#close() : this.#takeValue(token);
      case 'value':
        return this.#takeValue(token);
    }
  }

  #takeComma(token: string): JsonFault | undefined {
    const frame = this.#frames.at(-1);
    if (token === frame?.close) return this.#close();
    if (token !== ',') return this.#wanted();
    this.#expect = frame?.close === '}' ? 'name' : 'value';
    return undefined;
  }

  #takeName(token: string): JsonFault | undefined {
    if (!token.startsWith('"')) return this.#wanted();
    const name: string = token.includes('\\') ? JSON.parse(token) : token.slice(1, -1);
    if (FORBIDDEN_NAMES.has(name)) return this.#fault(`the name "${name}" is not allowed`);
    const names = this.#frames.at(-1)?.names;
    if (names?.has(name) === true) return this.#fault(`the name ${token} appears twice`);
    names?.add(name);
    this.#names += 1;
    if (this.#names > JSON_NAMES_MAX) return this.#fault(`more than ${JSON_NAMES_MAX} names`);
    this.#expect = 'colon';
    return this.#unpaired(token);
  }

  #takeValue(token: string): JsonFault | undefined {
    if (/^[}\]:,]/.test(token)) return this.#wanted();
    this.#values += 1;
    if (this.#values > JSON_VALUES_MAX) return this.#fault(`more than ${JSON_VALUES_MAX} values`);
    if (token === '{' || token === '[') return this.#open(token);
    return this.#unpaired(token) ?? this.#afterValue();
  }

  /** Half a surrogate pair cannot be stored or hashed as UTF-8. */
  #unpaired(token: string): JsonFault | undefined {
    if (!token.startsWith('"')) return undefined;
    const text: string = token.includes('\\u') ? JSON.parse(token) : token;
    return text.isWellFormed() ? undefined : this.#fault('the text has half a surrogate pair');
  }

  #open(token: '{' | '['): JsonFault | undefined {
    if (this.#frames.length === JSON_DEPTH_MAX) {
      return this.#fault(`nested deeper than ${JSON_DEPTH_MAX} levels`);
    }
    this.#frames.push({ close: token === '{' ? '}' : ']', names: new Set() });
    this.#expect = token === '{' ? 'first name' : 'first item';
    return undefined;
  }

  #close(): undefined {
    this.#frames.pop();
    return this.#afterValue();
  }
}

/** The first thing wrong with the text, or undefined if `JSON.parse` may have it. */
export function scanJson(text: string): JsonFault | undefined {
  return new Scan(text).run();
}

/** `line 2 column 5`, both from 1. */
export function placeOf(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1}`;
}
