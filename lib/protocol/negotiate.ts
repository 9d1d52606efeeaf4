/** Versions of the integration protocol this control plane speaks. */
export const OWN_VERSIONS = ['1.0'] as const;

const parse = (version: string): { major: number; minor: number } => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return { major, minor };
};

/** Highest version both speak; minors of one major are compatible downwards. Undefined when no major meets. */
export const negotiate = (
  theirs: readonly string[],
  ours: readonly string[] = OWN_VERSIONS,
): string | undefined => {
  let best: { major: number; minor: number } | undefined;
  for (const a of theirs.map(parse)) {
    for (const b of ours.map(parse)) {
      if (a.major !== b.major) continue;
      const common = { major: a.major, minor: Math.min(a.minor, b.minor) };
      if (
        best === undefined ||
        common.major > best.major ||
        (common.major === best.major && common.minor > best.minor)
      )
        best = common;
    }
  }
  return best === undefined ? undefined : `${best.major}.${best.minor}`;
};
