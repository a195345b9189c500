/** Is the page older than the server it talks to? Versions are `major.minor.patch`; anything behind them is ignored. */
export function isNewer(server: string, page: string): boolean {
  const [theirs, ours] = [numbers(server), numbers(page)];
  if (!theirs || !ours) return false;
  const differs = theirs.findIndex((number, place) => number !== ours[place]);
  return differs >= 0 && (theirs[differs] ?? 0) > (ours[differs] ?? 0);
}

function numbers(version: string): number[] | undefined {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version);
  return parts?.slice(1).map(Number);
}
