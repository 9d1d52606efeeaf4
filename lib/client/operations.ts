import type * as z from 'zod';
import { type Operation, ROUTES, type Route } from '../http/routes.ts';

/** The input and answer types of every operation, derived from the API's contract so that neither can drift. */
export type RouteOf<O extends Operation> = Extract<(typeof ROUTES)[number], { operation: O }>;

type Nothing = Record<never, never>;
type OptionalIfEmpty<K extends string, T> = Nothing extends T ? { [P in K]?: T } : { [P in K]: T };

type ParamsOf<R> = R extends { params: infer P extends z.ZodType } ? { params: z.output<P> } : Nothing;
/** `output`, because the input of a number in a query is `unknown`; the client writes the text form itself. */
type QueryOf<R> = R extends { query: infer Q extends z.ZodType }
  ? OptionalIfEmpty<'query', z.output<Q>>
  : Nothing;
type BodyOf<R> = R extends { body: infer B extends z.ZodType } ? { body: z.input<B> } : Nothing;
type HeadersOf<R> = R extends { headers: readonly (infer H extends string)[] }
  ? { headers: Record<H, string> }
  : Nothing;

/** Tables by operation: an intersection per generic operation would be a union too large for the compiler. */
type Inputs = {
  [R in (typeof ROUTES)[number] as R['operation']]: ParamsOf<R> & QueryOf<R> & BodyOf<R> & HeadersOf<R>;
};
export type InputOf<O extends Operation> = Inputs[O];

type Parsed<T> = T extends z.ZodType ? z.output<T> : null;
type Answers = {
  [R in (typeof ROUTES)[number] as R['operation']]: Parsed<R['answers'][keyof R['answers']]>;
};
export type AnswerOf<O extends Operation> = Answers[O];

type ItemOf<T> = T extends { items: (infer I)[]; next?: string | undefined } ? I : never;
/** Operations that list: their answer is a page, `items` and perhaps `next`. */
export type PagedOperation = {
  [O in Operation]: RouteOf<O>['method'] extends 'GET'
    ? null extends AnswerOf<O>
      ? never
      : [ItemOf<AnswerOf<O>>] extends [never]
        ? never
        : O
    : never;
}[Operation];
export type PageItemOf<O extends PagedOperation> = ItemOf<AnswerOf<O>>;

const routes = new Map<string, Route>(ROUTES.map((route) => [route.operation, route]));

export function routeOf(operation: Operation): Route {
  const route = routes.get(operation);
  if (route === undefined) throw new Error(`${operation} is not an operation of the API`);
  return route;
}
