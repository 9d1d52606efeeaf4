import { ApiProblem } from '../../lib/client/api-error.ts';
import { shortened } from './tool.ts';

/** Of a failed step's reason, at each of its ends: some tools say a lot. */
const REASON_LINES = 15;

/** The test cannot run on this machine: nothing is wrong with the product. */
export class NotAvailable extends Error {
  override readonly name = 'NotAvailable';
}

/** A step failed, and was said so; those that build on it are not tried. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

/** One line for each step. */
export class Journal {
  passed = 0;
  failed = 0;
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Runs a step; `detail` makes a few words of what it gave. Throws StepFailed, or NotAvailable as it came. */
  async step<T>(title: string, work: () => Promise<T>, detail: (result: T) => string = () => ''): Promise<T> {
    const startedMs = performance.now();
    const seconds = () => ((performance.now() - startedMs) / 1000).toFixed(1).padStart(5);
    try {
      const result = await work();
      const words = detail(result);
      this.passed += 1;
      this.#say(`ok   ${seconds()} s  ${title}${words === '' ? '' : `: ${words}`}`);
      return result;
    } catch (cause) {
      if (cause instanceof NotAvailable) throw cause;
      this.failed += 1;
      this.#say(`FAIL ${seconds()} s  ${title}: ${shortened(wordsOf(cause), REASON_LINES)}`);
      throw new StepFailed(title, { cause });
    }
  }

  /** As the other test runs end. */
  summary(skipped = 0): string {
    return `${this.passed} passed, ${this.failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
  }
}

/** What went wrong in words; a refusal of the API with what was asked. */
export function wordsOf(error: unknown): string {
  if (error instanceof ApiProblem) {
    const { operation, status, code, message } = error;
    return `${operation} was answered ${status} ${code}: ${message}`;
  }
  return error instanceof Error ? error.message : String(error);
}
