// The real supabase-js against the real upstream, directly and through Larder: equal answers?
//
// Environment: DIRECT and THROUGH (two addresses, whose databases hold the same rows), ADMIN (Larder's
// admin address), KEYS (what tests/upstream/start.mjs printed), EXPECT=answers to compare answers only,
// because the rules in use are not this folder's, SHOW=1 to see every answer. tests/supabase.rs sets all of it.
import { people } from './cases/people.mjs';
import { reading } from './cases/reading.mjs';
import { writing } from './cases/writing.mjs';
import { files } from './cases/files.mjs';
import { Stage } from './case.mjs';
import { countersOf, disagreements } from './counters.mjs';
import { Side } from './side.mjs';

const { DIRECT, THROUGH, ADMIN, KEYS, EXPECT, SHOW } = process.env;
const keys = JSON.parse(KEYS);
const stage = new Stage(new Side('directly', DIRECT, keys), new Side('through Larder', THROUGH, keys), {
  expectations: EXPECT !== 'answers',
  show: Boolean(SHOW),
});

const before = await countersOf(ADMIN);
let [played, failed] = [0, 0];
const report = (name, failures) => {
  played += 1;
  failed += failures.length > 0 ? 1 : 0;
  console.log(`${failures.length ? 'FAIL' : 'ok  '} ${name}${failures.map((failure) => `\n  ${failure}`).join('')}`);
};

/** Disagreements that stay: something may be fetched again still that no client waits for. */
async function settled() {
  const end = Date.now() + 5_000;
  for (;;) {
    const found = disagreements(before, await countersOf(ADMIN), stage.tally);
    if (found.length === 0 || Date.now() > end) return found;
  }
}

for (const [chapter, cases] of Object.entries({ people, reading, writing, files })) {
  for (const aCase of cases) report(`${chapter}: ${aCase.name}`, await stage.play(aCase));
}
report('counters agree with what the clients saw', await settled());

console.log(`${played - failed} of ${played} cases; ${[...stage.tally].map(([outcome, times]) => `${outcome} ${times}`).join(', ')}`);
process.exit(failed === 0 ? 0 : 1);
