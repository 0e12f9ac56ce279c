// Do Larder's own counters say what its clients saw?

/** Larder's metrics as a map from `name{labels}` to number. */
export async function countersOf(admin) {
  const answer = await fetch(`${admin}/metrics`);
  if (!answer.ok) throw new Error(`${admin}/metrics answered ${answer.status}`);
  const lines = (await answer.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** What does not add up between two scrapes, given how often each outcome was seen in `Cache-Status`. */
export function disagreements(before, after, tally) {
  const grown = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)]);
  const counted = new Map();
  for (const [name, growth] of grown) {
    const outcome = /^larder_requests_total\{.*outcome="([^"]+)"/.exec(name)?.[1];
    if (outcome && growth > 0) counted.set(outcome, (counted.get(outcome) ?? 0) + growth);
  }
  const seen = new Map();
  for (const [outcome, times] of tally) {
    const label = outcome.startsWith('unkept ') ? 'unkept' : outcome.replace(/^pass /, '');
    seen.set(label, (seen.get(label) ?? 0) + times);
  }
  const failures = [];
  for (const outcome of new Set([...counted.keys(), ...seen.keys()])) {
    const [clients, larder] = [seen.get(outcome) ?? 0, counted.get(outcome) ?? 0];
    if (clients !== larder) failures.push(`clients saw ${outcome} ${clients} times, larder_requests_total says ${larder}`);
  }
  const total = [...seen.values()].reduce((sum, times) => sum + times, 0);
  const saved = (seen.get('hit') ?? 0) + (seen.get('joined') ?? 0);
  const growth = (start) => grown.filter(([name]) => name.startsWith(start)).reduce((sum, [, value]) => sum + value, 0);
  const upstream = growth('larder_upstream_requests_total');
  // what writes took away and was in use, which no client asked for
  const again = ['kept', 'gone', 'failed', 'overtaken'].reduce((sum, result) => sum + growth(`larder_refreshes_total{result="${result}"}`), 0);
  if (upstream !== total - saved + again) {
    failures.push(`${total} requests of which ${saved} were saved and ${again} fetched again, larder_upstream_requests_total says ${upstream}`);
  }
  return failures;
}
