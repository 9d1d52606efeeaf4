import { gzipSync } from 'node:zlib';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

/** Shorter ones fit into one packet as they are. */
const BYTES_MIN = 1_024;

/** Whether a caller says that it reads gzip; `q=0` says that it does not (RFC 9110, 12.5.3). */
const acceptsGzip = (accepted: string | undefined): boolean =>
  (accepted ?? '').split(',').some((each) => {
    const [coding, ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
    return coding === 'gzip' && !parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter));
  });

/**
 * The answer in gzip for a caller that reads it. API Gateway's HTTP APIs compress nothing by themselves, and decode what
 * a function says is in base64. A hundred resources' leases are 10 KB of the same words: 600 bytes are left of them.
 */
export const compressed = (
  answer: APIGatewayProxyStructuredResultV2,
  accepted: string | undefined,
): APIGatewayProxyStructuredResultV2 => {
  const { body } = answer;
  if (body === undefined || body.length < BYTES_MIN || !acceptsGzip(accepted)) return answer;
  return {
    ...answer,
    headers: { ...answer.headers, 'content-encoding': 'gzip', vary: 'accept-encoding' },
    body: gzipSync(body).toString('base64'),
    isBase64Encoded: true,
  };
};
