import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Route } from './routes.ts';

/** On every answer: none may be cached, sniffed, framed or run as a page, and browsers stay on https. */
export const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'strict-transport-security': 'max-age=31536000',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

/** Header of an answer that shows a configuration revision. */
export function etag(cfg: number): { readonly etag: string } {
  return { etag: `"${cfg}"` };
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function check(answer: Answer, route: Route): void {
  const schema = route.answers[answer.status];
  const where = `${route.operation} ${answer.status}`;
  if (schema === undefined) throw new Error(`${where}: status is not declared`);
  if (schema === null) {
    if (answer.body !== undefined) throw new Error(`${where}: must have no body`);
    return;
  }
  const parsed = schema.safeParse(answer.body);
  if (!parsed.success) throw new Error(`${where}: body is not as declared: ${parsed.error.message}`);
}

/** As the gateway wants it. `checked`: throws where it is not what its route declares, as tests ask for. */
export function shapeAnswer(
  answer: Answer,
  route: Route,
  checked: boolean,
): APIGatewayProxyStructuredResultV2 {
  if (checked) check(answer, route);
  const { status: statusCode, body } = answer;
  if (body === undefined) return { statusCode, headers: { ...answer.headers } };
  return {
    statusCode,
    headers: { 'content-type': route.mediaType ?? 'application/json', ...answer.headers },
    body: JSON.stringify(body),
  };
}
