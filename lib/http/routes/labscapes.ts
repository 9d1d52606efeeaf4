import * as z from 'zod';
import { Id, Page, pageOf } from '../../schemas/common.ts';
import { HeartbeatAnswer, HeartbeatInput } from '../../schemas/heartbeat.ts';
import { Labscape, LabscapeInput, LabscapePatch } from '../../schemas/labscape.ts';
import type { Route } from './route.ts';

const labscape = z.strictObject({ labscape: Id });

/** Labscapes and their beats. */
export const LABSCAPES_ROUTES = [
  {
    method: 'POST',
    path: '/labscapes',
    operation: 'joinLabscape',
    summary: 'Join a labscape',
    function: 'labscapes',
    action: 'manageLabscapes',
    body: LabscapeInput,
    answers: { 201: Labscape },
  },
  {
    method: 'GET',
    path: '/labscapes',
    operation: 'listLabscapes',
    summary: 'All labscapes',
    function: 'labscapes',
    action: 'readFleet',
    query: Page,
    answers: { 200: pageOf(Labscape) },
  },
  {
    method: 'GET',
    path: '/labscapes/{labscape}',
    operation: 'getLabscape',
    summary: 'One labscape',
    function: 'labscapes',
    action: 'readFleet',
    params: labscape,
    answers: { 200: Labscape },
  },
  {
    method: 'PATCH',
    path: '/labscapes/{labscape}',
    operation: 'editLabscape',
    summary: 'Change policy, weight or maintenance; say where it keeps data',
    function: 'labscapes',
    action: 'manageLabscapes',
    params: labscape,
    body: LabscapePatch,
    headers: ['if-match'],
    answers: { 200: Labscape },
  },
  {
    method: 'POST',
    path: '/labscapes/{labscape}/heartbeats',
    operation: 'beat',
    summary: 'One batch of heartbeats',
    function: 'heartbeats',
    action: 'beat',
    guardsReplays: true,
    compressed: true,
    summed: true,
    params: labscape,
    body: HeartbeatInput,
    answers: { 200: HeartbeatAnswer },
  },
] as const satisfies readonly Route[];
