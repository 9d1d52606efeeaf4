import * as z from 'zod';
import { Page, pageOf, RecoveryId } from '../../schemas/common.ts';
import { ApprovalInput, Recovery } from '../../schemas/recovery.ts';
import type { Route } from './route.ts';

const recovery = z.strictObject({ recovery: RecoveryId });

/** Recoveries, and what people say to them. */
export const RECOVERIES_ROUTES = [
  {
    method: 'GET',
    path: '/recoveries',
    operation: 'listRecoveries',
    summary: 'Recoveries, newest first',
    function: 'recoveries',
    action: 'readFleet',
    query: Page,
    answers: { 200: pageOf(Recovery) },
  },
  {
    method: 'GET',
    path: '/recoveries/{recovery}',
    operation: 'getRecovery',
    summary: 'The report of a recovery',
    function: 'recoveries',
    action: 'readFleet',
    params: recovery,
    answers: { 200: Recovery },
  },
  {
    method: 'POST',
    path: '/recoveries/{recovery}/approval',
    operation: 'approveRecovery',
    summary: 'Approve or reject a recovery that asks',
    function: 'recoveries',
    action: 'operateResources',
    params: recovery,
    body: ApprovalInput,
    answers: { 200: Recovery },
  },
] as const satisfies readonly Route[];
