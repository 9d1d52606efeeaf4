import { ProblemError } from '../errors.ts';

/** Clients, proxies and gateways together send about 20. */
export const HEADERS_MAX = 100;
/** A token has up to 8 KB; API Gateway itself takes 10 KB of headers, other gateways in front may take more. */
export const HEADER_BYTES_MAX = 16_384;

/** Throws `headers-too-large` before anything of them is read. Characters count as bytes, as they do over the wire. */
export function checkHeaders(headers: Readonly<Record<string, string | undefined>>): void {
  let count = 0;
  let bytes = 0;
  for (const name in headers) {
    count += 1;
    bytes += name.length + (headers[name]?.length ?? 0);
  }
  if (count > HEADERS_MAX || bytes > HEADER_BYTES_MAX) {
    throw new ProblemError(
      'headers-too-large',
      `Send at most ${HEADERS_MAX} headers with at most ${HEADER_BYTES_MAX} bytes in all.`,
    );
  }
}
