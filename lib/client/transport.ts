export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

export interface TransportAnswer {
  readonly status: number;
  readonly text: string;
  header(name: string): string | undefined;
}

/** Sends one request and reads its whole answer; rejects when there is none. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** The runtime's own fetch, which keeps connections alive. Redirects are errors: a token is for one host only. */
export const fetchTransport: Transport = async (request) => {
  const answer = await fetch(request.url, {
    method: request.method,
    headers: { ...request.headers },
    body: request.body ?? null,
    signal: request.signal,
    redirect: 'error',
  });
  const text = await answer.text();
  return { status: answer.status, text, header: (name) => answer.headers.get(name) ?? undefined };
};
