import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { Clock } from '../clock.ts';
import { COMMON_HEADERS } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { type RequestSum, RequestSums } from './request-sums.ts';

export const METRICS_NAMESPACE = 'Labscape';
/** CloudWatch StorageResolution in seconds. */
const HIGH_RESOLUTION = 1;

type ResultRequest = Parameters<
  NonNullable<MiddlewareObj<Exchange, APIGatewayProxyStructuredResultV2>['after']>
>[0];

export interface Recorder {
  readonly log: Logger;
  readonly middleware: MiddlewareObj<Exchange, APIGatewayProxyStructuredResultV2>;
  logFor(exchange: Exchange): Logger;
  metricsFor(exchange: Exchange): Metrics;
}

/** Powertools always adds a `service` dimension, which would double what dashboards must name. */
function metricsOf(serviceName: string): Metrics {
  const metrics = new Metrics({ namespace: METRICS_NAMESPACE, serviceName });
  metrics.clearDefaultDimensions();
  return metrics;
}

const operationOf = (exchange: Exchange) => exchange.route?.operation ?? 'none';
const microseconds = (ms: number) => Math.round(ms * 1000) / 1000;

/**
 * One log line and one metric document per request: Requests, HandlerMs and Refusals by function and operation; of a
 * refusal also Refusals by code. Both are written in one go at its end, so requests that overlap
 * (the local host runs them in one process) cannot mix; what an operation records itself gets its own instance. Of
 * routes that are `summed`, those that succeed share a line and a document with others, unless the log is at DEBUG.
 */
export function recorder(fn: string, clock: Clock): Recorder {
  const log = new Logger({ serviceName: fn });
  const metrics = metricsOf(fn);
  const sums = new RequestSums();

  function writeSum({ route, operation, ms }: RequestSum): void {
    log.info('requests', { route, operation, count: ms.length, msMost: Math.max(...ms) });
    metrics.addDimensions({ function: fn, operation });
    metrics.addMetric('Requests', 'Count', ms.length);
    for (const each of ms) metrics.addMetric('HandlerMs', 'Milliseconds', each, HIGH_RESOLUTION);
    metrics.publishStoredMetrics();
  }

  function writeMetrics(exchange: Exchange, ms: number): void {
    const { problem } = exchange;
    metrics.addDimensions({ function: fn, operation: operationOf(exchange) });
    metrics.addMetric('Requests', 'Count', 1);
    metrics.addMetric('HandlerMs', 'Milliseconds', ms, HIGH_RESOLUTION);
    if (problem !== undefined) metrics.addMetric('Refusals', 'Count', 1);
    metrics.publishStoredMetrics();
    if (problem !== undefined) {
      metrics.addDimensions({ code: problem.code });
      metrics.addMetric('Refusals', 'Count', 1);
      metrics.publishStoredMetrics();
    }
    if (exchange.metrics?.hasStoredMetrics() === true) exchange.metrics.publishStoredMetrics();
  }

  function writeLine(exchange: Exchange, status: number, ms: number): void {
    const line = {
      requestId: exchange.requestId,
      route: exchange.event.routeKey,
      operation: operationOf(exchange),
      principal: exchange.principal,
      status,
      ms,
      ...(exchange.problem === undefined ? {} : { code: exchange.problem.code }),
    };
    const cause = exchange.problem?.cause;
    if (status < 500) log.info('request', line);
    else log.error('request', { ...line, error: cause instanceof Error ? cause : String(cause) });
  }

  function finish(request: ResultRequest): void {
    const exchange = request.event;
    const answer = request.response;
    if (answer === null || answer === undefined) return;
    answer.headers = { ...answer.headers, ...COMMON_HEADERS, 'x-request-id': exchange.requestId };
    const nowMs = clock.monotonicMs();
    const ms = microseconds(nowMs - exchange.startedMs);
    const sum =
      log.getLevelName() === 'DEBUG' ? undefined : sums.take(exchange, answer.statusCode ?? 0, ms, nowMs);
    if (sum?.told !== undefined) writeSum(sum.told);
    if (sum !== undefined) {
      if (exchange.metrics?.hasStoredMetrics() === true) exchange.metrics.publishStoredMetrics();
      return;
    }
    writeLine(exchange, answer.statusCode ?? 0, ms);
    writeMetrics(exchange, ms);
  }

  return {
    log,
    middleware: { after: finish, onError: finish },
    logFor: (exchange) => log.createChild({ persistentKeys: { requestId: exchange.requestId } }),
    metricsFor: (exchange) => {
      if (exchange.metrics === undefined) {
        exchange.metrics = metricsOf(fn);
        exchange.metrics.setDefaultDimensions({ function: fn, operation: operationOf(exchange) });
      }
      return exchange.metrics;
    },
  };
}
