/** The drill could not be carried out to its end; the message says where it stopped and why. */
export class DrillError extends Error {
  override readonly name = 'DrillError';
}
