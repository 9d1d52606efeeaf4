import { ProblemError } from '../errors.ts';

/** A tenant exists from its first quota on. */
export const noTenant = (id: string): ProblemError =>
  new ProblemError(
    'not-found',
    `tenant ${id} does not exist: an operator creates it by setting its quota, PUT /tenants/${id}`,
  );
