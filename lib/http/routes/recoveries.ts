import * as z from 'zod';
import { Id, Page, pageOf, RecoveryId } from '../../schemas/common.ts';
import { Override, OverrideInput } from '../../schemas/override.ts';
import { Quote, QuoteInput } from '../../schemas/quote.ts';
import { ApprovalInput, Recovery } from '../../schemas/recovery.ts';
import { ReasonInput, Resource } from '../../schemas/resource.ts';
import type { Route } from './route.ts';

const recovery = z.strictObject({ recovery: RecoveryId });
const resource = z.strictObject({ resource: Id });
const labscape = z.strictObject({ labscape: Id });
const override = z.strictObject({ labscape: Id, override: Id });

/** Recoveries, what they would do, and what people say to them. */
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
  {
    method: 'POST',
    path: '/recoveries/{recovery}/cancel',
    operation: 'cancelRecovery',
    summary: 'Call a recovery off that has not moved anything yet',
    function: 'recoveries',
    action: 'operateResources',
    params: recovery,
    body: ReasonInput,
    answers: { 202: Recovery },
  },
  {
    method: 'POST',
    path: '/recoveries/{recovery}/resume',
    operation: 'resumeRecovery',
    summary: 'Let a parked recovery go on where it stopped',
    function: 'recoveries',
    action: 'operateResources',
    params: recovery,
    body: ReasonInput,
    answers: { 202: Recovery },
  },
  {
    method: 'POST',
    path: '/quotes',
    operation: 'quote',
    summary: 'What recovering resources or a labscape now would do; changes nothing',
    function: 'recoveries',
    action: 'readFleet',
    body: QuoteInput,
    answers: { 200: Quote },
  },
  {
    method: 'POST',
    path: '/resources/{resource}/acknowledge',
    operation: 'acknowledgeResource',
    summary: 'End the cool-down of a resource: its recoveries were looked at',
    function: 'recoveries',
    action: 'operateResources',
    params: resource,
    body: ReasonInput,
    answers: { 200: Resource },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/acknowledge',
    operation: 'acknowledgeLabscape',
    summary: 'The same for all resources of a labscape: re-arms its breaker',
    function: 'recoveries',
    action: 'operateResources',
    params: labscape,
    body: ReasonInput,
    answers: { 200: z.object({ resources: z.array(Id) }) },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/overrides',
    operation: 'proposeOverride',
    summary: 'Propose to set a safety rule aside for a while',
    function: 'recoveries',
    action: 'overrideRules',
    params: labscape,
    body: OverrideInput,
    answers: { 201: Override },
  },
  {
    method: 'GET',
    path: '/labscapes/{labscape}/overrides',
    operation: 'listOverrides',
    summary: 'Rules that are, were or shall be set aside',
    function: 'recoveries',
    action: 'readFleet',
    params: labscape,
    answers: { 200: z.object({ items: z.array(Override) }) },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/overrides/{override}/confirm',
    operation: 'confirmOverride',
    summary: 'Confirm what somebody else proposed: the rule is set aside from now on',
    function: 'recoveries',
    action: 'overrideRules',
    params: override,
    body: ReasonInput,
    answers: { 200: Override },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/overrides/{override}/withdraw',
    operation: 'withdrawOverride',
    summary: 'The rule counts again',
    function: 'recoveries',
    action: 'overrideRules',
    params: override,
    body: ReasonInput,
    answers: { 200: Override },
  },
] as const satisfies readonly Route[];
