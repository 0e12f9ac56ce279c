
'use strict';
// Plots of the last minutes, as SVG; each has a title, a legend with numbers, and a table.

const SVG = 'http://www.w3.org/2000/svg';

// Everything that is shown goes in as text: nothing of it is ever markup.
function h(tag, attributes = {}, ...children) {
  const element = tag.startsWith('svg:') ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null).map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

const format = {
  count: (value) => (value >= 1e4 ? new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value) : new Intl.NumberFormat('en', { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)),
  percent: (value) => `${(value * 100).toFixed(value > 0.995 && value < 1 ? 2 : 1)} %`,
  bytes: (value) => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
    return `${format.count(value / 1024 ** power)} ${units[power]}`;
  },
  micros: (value) => (value < 1000 ? `${Math.round(value)} µs` : value < 1e6 ? `${(value / 1000).toFixed(value < 1e4 ? 1 : 0)} ms` : `${(value / 1e6).toFixed(1)} s`),
  seconds: (value) => (value < 1 ? `${Math.round(value * 1000)} ms` : value < 120 ? `${value < 10 ? value.toFixed(1) : Math.round(value)} s` : value < 7200 ? `${Math.round(value / 60)} min` : value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`),
  clock: (millis) => new Date(millis).toLocaleTimeString('en-GB'),
};

class Plot {
  // spec: { id, title, note, unit, log, stacked, max, series: [{ name, look, of(frame) }], choices }
  constructor(spec) {
    this.spec = spec;
    this.frames = [];
    this.cursor = null;
    this.choice = spec.choices ? spec.choices[0] : undefined;
    const titleId = `${spec.id}-title`;
    this.svg = h('svg:svg', { role: 'img', 'aria-labelledby': titleId, tabindex: 0, 'aria-describedby': `${spec.id}-legend` });
    this.legend = h('ul', { class: 'legend', id: `${spec.id}-legend` });
    this.table = h('table');
    this.details = h('details', { ontoggle: () => this.tabulate() }, h('summary', {}, 'As a table'), h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${spec.title}, as a table` }, this.table));
    const choose = spec.choices && h('select', { 'aria-label': `${spec.title}: which`, onchange: (event) => { this.choice = event.target.value; this.draw(); this.tabulate(); } }, ...spec.choices.map((choice) => h('option', {}, choice)));
    this.element = h('figure', { id: spec.id }, h('figcaption', {}, h('h2', { id: titleId }, spec.title), h('span', { class: 'quiet' }, spec.note || ''), choose), this.svg, this.legend, this.details);
    this.svg.addEventListener('pointermove', (event) => this.point(event.offsetX));
    this.svg.addEventListener('pointerleave', () => { this.cursor = null; this.draw(); });
    this.svg.addEventListener('keydown', (event) => this.step(event));
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  show(frames, range) {
    Object.assign(this, { frames, range });
    this.draw();
    if (this.details.open) this.tabulate();
  }

  // Seen with the arrow keys as with a pointer.
  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') this.cursor = null;
    else if (by === undefined || this.frames.length === 0) return;
    else {
      const at = this.cursor === null ? this.frames.length - 1 : this.frames.findIndex((frame) => frame.t >= this.cursor) + by;
      this.cursor = this.frames[Math.max(0, Math.min(this.frames.length - 1, at))].t;
    }
    event.preventDefault();
    this.draw();
  }

  point(x) {
    if (this.frames.length === 0) return;
    const time = this.from + ((x - this.left) / this.width) * (this.to - this.from);
    this.cursor = this.frames.reduce((best, frame) => (Math.abs(frame.t - time) < Math.abs(best.t - time) ? frame : best)).t;
    this.draw();
  }

  value(series, frame) {
    const value = series.of(frame, this.choice);
    return Number.isFinite(value) ? value : null;
  }

  draw() {
    const { spec, frames, svg } = this;
    const [whole, height] = [svg.clientWidth || 300, svg.clientHeight || 190];
    const [left, bottom, top] = [54, height - 20, 8];
    const width = Math.max(10, whole - left - 6);
    const to = frames.length ? frames[frames.length - 1].t : Date.now();
    // no more than there is, but never less than a minute
    const since = frames.length ? to - frames[0].t : 0;
    const from = to - Math.min((this.range || 300) * 1000, Math.max(since, 60_000));
    Object.assign(this, { left, width, from, to });
    const rows = frames.map((frame) => spec.series.map((series) => this.value(series, frame)));
    const tops = rows.map((row) => (spec.stacked ? row.reduce((sum, value) => sum + (value || 0), 0) : Math.max(0, ...row.map((value) => value || 0))));
    const max = spec.max || nice(Math.max(spec.least || 1, ...tops));
    const low = spec.log ? spec.log : 0;
    const scale = (value) => (spec.log ? (Math.log(Math.max(value, low)) - Math.log(low)) / (Math.log(max) - Math.log(low)) : value / max);
    const x = (t) => left + ((t - from) / (to - from)) * width;
    const y = (value) => bottom - Math.min(1, scale(value)) * (bottom - top);
    const parts = [];
    for (const tick of spec.log ? decades(low, max) : [0, max / 2, max]) {
      parts.push(h('svg:line', { class: 'rule', x1: left, x2: left + width, y1: y(tick), y2: y(tick) }));
      parts.push(h('svg:text', { x: left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, spec.unit(tick, this.choice)));
    }
    for (const [share, anchor] of [[0, 'start'], [0.5, 'middle'], [1, 'end']]) {
      parts.push(h('svg:text', { x: left + share * width, y: height - 4, 'text-anchor': anchor }, format.clock(from + share * (to - from))));
    }
    parts.push(...(spec.stacked ? areas(spec, frames, rows, x, y) : lines(spec, frames, rows, x, y)));
    const at = this.cursor === null ? frames.length - 1 : frames.findIndex((frame) => frame.t === this.cursor);
    if (this.cursor !== null && at >= 0) parts.push(h('svg:line', { class: 'cursor', x1: x(this.cursor), x2: x(this.cursor), y1: top, y2: bottom }));
    svg.setAttribute('viewBox', `0 0 ${whole} ${height}`);
    svg.replaceChildren(...parts);
    this.tell(rows[at], this.cursor === null ? undefined : this.cursor);
  }

  tell(row, time) {
    const items = this.spec.series.map((series, place) => h('li', {}, swatch(this.spec, series), `${series.name} `, h('b', {}, row && row[place] !== null ? this.spec.unit(row[place], this.choice) : '–')));
    if (time) items.unshift(h('li', {}, format.clock(time)));
    this.legend.replaceChildren(...items);
  }

  tabulate() {
    const { spec, frames } = this;
    const every = Math.max(1, Math.ceil(frames.length / 12));
    const chosen = frames.filter((_, place) => (frames.length - 1 - place) % every === 0).reverse();
    const cell = (value) => h('td', { class: 'n' }, value === null ? '–' : spec.unit(value, this.choice));
    this.table.replaceChildren(
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Time'), ...spec.series.map((series) => h('th', { scope: 'col', class: 'n' }, series.name)))),
      h('tbody', {}, ...chosen.map((frame) => h('tr', {}, h('td', {}, format.clock(frame.t)), ...spec.series.map((series) => cell(this.value(series, frame))))))
    );
  }
}

function swatch(spec, series) {
  const shape = spec.stacked ? h('svg:rect', { class: `area ${series.look}`, width: 16, height: 8 }) : h('svg:line', { class: `line ${series.look}`, x1: 0, x2: 16, y1: 4, y2: 4 });
  return h('svg:svg', { viewBox: '0 0 16 8', 'aria-hidden': 'true' }, shape);
}

function lines(spec, frames, rows, x, y) {
  return spec.series.map((series, place) => {
    let path = '';
    let pen = 'M';
    frames.forEach((frame, at) => {
      const value = rows[at][place];
      if (value === null) pen = 'M';
      else {
        path += `${pen}${x(frame.t).toFixed(1)} ${y(value).toFixed(1)}`;
        pen = 'L';
      }
    });
    return h('svg:path', { class: `line ${series.look}`, d: path || 'M0 0' });
  });
}

function areas(spec, frames, rows, x, y) {
  const floor = rows.map(() => 0);
  return spec.series.map((series, place) => {
    const below = frames.map((frame, at) => `${x(frame.t).toFixed(1)} ${y(floor[at]).toFixed(1)}`);
    rows.forEach((row, at) => { floor[at] += row[place] || 0; });
    const above = frames.map((frame, at) => `${x(frame.t).toFixed(1)} ${y(floor[at]).toFixed(1)}`);
    const around = [...above, ...below.reverse()];
    return h('svg:path', { class: `area ${series.look}`, d: around.length ? `M${around.join('L')}Z` : 'M0 0' });
  });
}

// The next round number: 1, 2 or 5 times a power of ten.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= value);
}

function decades(low, max) {
  const ticks = [];
  for (let tick = low; tick <= max; tick *= 10) ticks.push(tick);
  return ticks;
}
