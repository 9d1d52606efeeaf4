/** What of a control plane a drill looks at; nothing named: all of it, as on a host of its own. */
export interface Scope {
  readonly labscape?: string;
  /** Needed where the caller is no tenant itself. */
  readonly tenant?: string;
  /** Whether an entity of the audit is the drill's. */
  readonly isOf?: (entity: string) => boolean;
}
