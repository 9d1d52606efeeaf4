import type { Hindsight, WouldHave } from '../schemas/observed.ts';
import type { Objection } from '../schemas/rule.ts';

/** Who is back within so many beats of the decision was better left alone: the work would have gone and come for nothing. */
const UNNEEDED_BEATS = 10;

export const unneededWithinMs = (beatMs: number): number => UNNEEDED_BEATS * beatMs;

/** What automation would have done, by what the rules say besides that the labscape only observes. */
export const wouldHave = (objections: readonly Objection[]): WouldHave => {
  const next = objections.find(({ rule, override }) => rule !== 'mode-observe' && override === undefined);
  if (next === undefined) return 'move';
  return next.effect === 'asks' ? 'ask' : 'put-off';
};

/** How the failure that a decision was about ended. */
export interface FailureEnd {
  readonly at: number;
  /** It beat again; a person took it back or out of service, or had it recovered; automation recovered it since. */
  readonly by: 'itself' | 'person' | 'failed' | 'recovery';
}

export interface Decided {
  readonly decidedAt: number;
  readonly unneededWithinMs: number;
}

const ENDED: Readonly<Record<FailureEnd['by'], string>> = {
  itself: 'it was back by itself',
  person: 'a person took it back, or out of service,',
  failed: 'a person had it recovered',
  recovery: 'automation recovered it, once it was let,',
};

/** Whether it would have been right to act. Whatever ends a failure later than that, the work was down until then. */
export const hindsightOf = (
  { decidedAt, unneededWithinMs: withinMs }: Decided,
  end: FailureEnd | undefined,
  now: number,
): { readonly hindsight: Hindsight; readonly why: string } => {
  const lastedMs = (end?.at ?? now) - decidedAt;
  const lasted = lastedMs > withinMs;
  if (end === undefined)
    return { hindsight: lasted ? 'right' : 'undecided', why: `it is still failed after ${lastedMs} ms` };
  const acted = end.by === 'failed' || end.by === 'recovery';
  const hindsight = lasted || acted ? 'right' : 'unneeded';
  return { hindsight, why: `${ENDED[end.by]} after ${lastedMs} ms` };
};
