import { jest } from '@jest/globals';

export interface Output {
  /** Everything written as JSON, parsed. Node's own warnings are not ours. */
  documents(): Record<string, unknown>[];
  /** Log lines with this message. */
  lines(message: string): Record<string, unknown>[];
  /** Metric documents that carry this metric. */
  metrics(name: string): Record<string, unknown>[];
  text(): string;
}

/** Logs and metrics go to the process's streams; this keeps them off the screen and at hand. */
export function captureOutput(): Output {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((chunk) => {
      written.push(String(chunk));
      return true;
    });
  }
  const documents = () =>
    written
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Record<string, unknown> => JSON.parse(line));
  return {
    documents,
    lines: (message) => documents().filter((document) => document['message'] === message),
    metrics: (name) =>
      documents().filter((document) => document['_aws'] !== undefined && document[name] !== undefined),
    text: () => written.join(''),
  };
}
