// Makes the answers of two sides comparable, and shows where they differ.

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
/** Ids of the seed begin like this; they are the same everywhere. */
const SEEDED_UUID = 'a0000000-';
/** The seed and the cases use times before 2025; later ones were read from a clock. */
const CLOCK_TIME = /20(2[5-9]|[3-9]\d)-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?/g;
const GENERATED_FIELDS = ['access_token', 'refresh_token', 'expires_at', 'updated_at_ms', 'eTag', 'etag'];

/** Whatever a case returned, as plain data without generated values. */
export function comparable(value, names) {
  if (typeof value === 'string') {
    return value
      .replace(UUID, (id) => names.get(id) ?? (id.startsWith(SEEDED_UUID) ? id : '<uuid>'))
      .replace(CLOCK_TIME, '<now>');
  }
  if (value === null || typeof value !== 'object') return value ?? null;
  if (Array.isArray(value)) return value.map((item) => comparable(item, names));
  const fields = value instanceof Error ? { name: value.name, message: value.message, ...value } : value;
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => typeof field !== 'function')
      .map(([key, field]) => [key, GENERATED_FIELDS.includes(key) && field ? `<${key}>` : comparable(field, names)]),
  );
}

export const isEqual = (left, right) => JSON.stringify(left) === JSON.stringify(right);

/** Two values as columns of lines; `≠` marks the lines that differ. */
export function sideBySide([leftTitle, left], [rightTitle, right]) {
  const width = 74;
  const lines = (title, value) => [title, ...JSON.stringify(value, null, 1).split('\n')];
  const [a, b] = [lines(leftTitle, left), lines(rightTitle, right)];
  const cell = (text = '') => (text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width));
  const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, n) => [a[n], b[n]]);
  const firstDifference = rows.findIndex(([x, y], n) => n > 0 && x !== y);
  const linesShown = 60;
  const from = Math.max(1, Math.min(firstDifference - 10, rows.length - linesShown));
  return [rows[0], ...rows.slice(from, from + linesShown)]
    .map(([x, y], n) => `    ${cell(x)} ${n > 0 && x !== y ? '≠' : '│'} ${cell(y).trimEnd()}`)
    .join('\n');
}
