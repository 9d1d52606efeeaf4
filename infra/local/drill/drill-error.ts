/** The drill could not be carried out to its end; the message says where it stopped and why. */
export class DrillError extends Error {
  override readonly name: string = 'DrillError';
}

/** Leases ran out before anything was killed: there was no time to renew them. */
export class TooBusy extends DrillError {
  override readonly name = 'TooBusy';
}
