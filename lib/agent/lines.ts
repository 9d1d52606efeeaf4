import type { Readable } from 'node:stream';

/**
 * Reads text line by line; `take` is told undefined, once, of a line that is longer than `lengthMax` characters: of it
 * nothing is kept, whether it ends or not. What stands behind the last line's end is dropped.
 */
export function eachLine(
  stream: Readable,
  lengthMax: number,
  take: (line: string | undefined) => void,
): void {
  let begun = '';
  let tooLong = false;
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    for (const [index, part] of lines.entries()) {
      const isWhole = index < lines.length - 1;
      if (!tooLong && begun.length + part.length > lengthMax) {
        tooLong = true;
        begun = '';
        take(undefined);
      }
      if (!tooLong) begun += part;
      if (!isWhole) break;
      if (!tooLong) take(begun);
      tooLong = false;
      begun = '';
    }
  });
}
