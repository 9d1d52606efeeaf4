import { type ApiAnswer, type ApiHandler, type ApiRequest, apiHandler } from '../../lib/http/api-handler.ts';
import { INCIDENTS_ROUTES } from '../../lib/http/routes/incidents.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { erasePrincipal } from '../../lib/services/threat/erase.ts';
import {
  getIncident,
  liftResponse,
  listIncidents,
  respondByHand,
  setIncident,
} from '../../lib/services/threat/incidents.ts';
import { signalStore } from '../defence.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

const settle = async (
  control: Runtime,
  status: 'acknowledged' | 'resolved',
  request: ApiRequest<'acknowledgeIncident'> | ApiRequest<'resolveIncident'>,
): Promise<ApiAnswer> => {
  request.permit({});
  await request.cleared();
  const { params, body } = request;
  return {
    status: 200,
    body: await setIncident(control, params.incident, status, body.reason, requesterOf(request)),
  };
};

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'incidents',
    {
      listIncidents: async (request) => {
        request.permit({});
        return { status: 200, body: { items: await listIncidents(control, request.query.status) } };
      },
      getIncident: async (request) => {
        request.permit({});
        return { status: 200, body: await getIncident(control, request.params.incident) };
      },
      acknowledgeIncident: (request) => settle(control, 'acknowledged', request),
      resolveIncident: (request) => settle(control, 'resolved', request),
      respondToIncident: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: await respondByHand(control, params.incident, body, requesterOf(request)),
        };
      },
      liftResponse: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: await liftResponse(control, params.incident, body.reason, requesterOf(request)),
        };
      },
      erasePrincipal: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        const signals = signalStore(control);
        if (signals === undefined) throw new Error('environment variable SIGNALS_TABLE is not set');
        return {
          status: 200,
          body: await erasePrincipal(control, signals, params.principal, body.reason, requesterOf(request)),
        };
      },
    },
    apiDeps(control, INCIDENTS_ROUTES),
  );
