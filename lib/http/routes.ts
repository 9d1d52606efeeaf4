import { ACCESS_ROUTES } from './routes/access.ts';
import { ALLOCATIONS_ROUTES } from './routes/allocations.ts';
import { AUDIT_ROUTES } from './routes/audit.ts';
import { BACKUPS_ROUTES } from './routes/backups.ts';
import { LABSCAPES_ROUTES } from './routes/labscapes.ts';
import { PLANS_ROUTES } from './routes/plans.ts';
import { RECOVERIES_ROUTES } from './routes/recoveries.ts';
import { RESOURCES_ROUTES } from './routes/resources.ts';
import { SERVICE_ROUTES } from './routes/service.ts';

export { API_FUNCTIONS, type ApiFunction, type Route } from './routes/route.ts';

/** Every route of the API: the CDK stack, the handlers, the authoriser and the OpenAPI page are made from it. */
export const ROUTES = [
  ...SERVICE_ROUTES,
  ...LABSCAPES_ROUTES,
  ...ACCESS_ROUTES,
  ...RESOURCES_ROUTES,
  ...ALLOCATIONS_ROUTES,
  ...RECOVERIES_ROUTES,
  ...PLANS_ROUTES,
  ...AUDIT_ROUTES,
  ...BACKUPS_ROUTES,
] as const;

export type Operation = (typeof ROUTES)[number]['operation'];
