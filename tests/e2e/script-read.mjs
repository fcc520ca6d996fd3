// script-read.mjs - how a statement of a script is read (tokens, strictly, in
// order) and how an answer is checked; see script.mjs for the language.
import { isDeepStrictEqual } from "node:util";

export class Slip extends Error {}                     // the script is wrong
export class Miss extends Error {                      // the server is
  constructor(expected, came) { super(expected); this.came = came; }
}
const show = (v) => { const s = typeof v === "string" ? v : JSON.stringify(v) ?? "nothing"; return s.length > 600 ? `${s.slice(0, 600)}...` : s; };
export const miss = (expected, came) => { throw new Miss(expected, show(came)); };

// ---- tokens ----------------------------------------------------------------

// The end of the {JSON} or [JSON] that begins at i.
function balanced(text, i) {
  for (let depth = 0, quoted = false, k = i; k < text.length; k++) {
    const c = text[k];
    if (quoted) { if (c === "\\") k++; else if (c === "\"") quoted = false; continue; }
    if (c === "\"") quoted = true;
    else if (c === "{" || c === "[") depth++;
    else if ((c === "}" || c === "]") && --depth === 0) return k + 1;
  }
  throw new Slip(`unbalanced ${text.slice(i, i + 30)}`);
}

export function tokenize(text) {
  const out = [];
  for (let i = 0; i < text.length;) {
    const rest = text.slice(i), m = /^\s+|^,|^"(?:[^"\\]|\\.)*"|^[^\s,"{[][^\s,]*/.exec(rest);
    const raw = m ? m[0] : /^[{[]/.test(rest) ? text.slice(i, balanced(text, i)) : null;
    if (raw === null) throw new Slip(`cannot read ${rest.slice(0, 30)}`);
    i += raw.length;
    if (raw.trim()) out.push({ raw, kind: raw === "," ? "," : raw[0] === "\"" ? "string" : /^[{[]/.test(raw) ? "json" : "word" });
  }
  return out;
}

// Reads one statement's tokens in order; whatever is left over is an error.
export class Reader {
  constructor(tokens, vars) { this.t = tokens; this.i = 0; this.vars = vars; }
  get more() { return this.i < this.t.length; }
  is(...words) { return this.more && this.t[this.i].kind === "word" && words.includes(this.t[this.i].raw); }
  kind(kind) { return this.more && this.t[this.i].kind === kind; }
  take(word) { return this.is(word) && ++this.i > 0; }
  fill(raw) {
    return raw.replace(/\$(\$|[a-z][a-z0-9_]*)/g, (all, name) => {
      if (name === "$") return "$";
      if (!(name in this.vars)) throw new Slip(`${all} is not set`);
      const v = this.vars[name];
      return typeof v === "string" ? v : JSON.stringify(v);
    });
  }
  token(kind, what) {
    if (!this.kind(kind)) throw new Slip(`expected ${what}, got ${this.more ? this.t[this.i].raw : "the end"}`);
    return this.t[this.i++].raw;
  }
  word(what = "a word") { return this.fill(this.token("word", what)); }
  parse(raw) { try { return JSON.parse(this.fill(raw)); } catch (e) { if (e instanceof Slip) throw e; throw new Slip(`${raw}: ${e.message}`); } }
  string() { return this.parse(this.token("string", "a \"string\"")); }
  json() { return this.parse(this.token("json", "JSON")); }
  int() { const w = this.word("a number"); if (!/^-?\d+$/.test(w)) throw new Slip(`expected a number, got ${w}`); return Number(w); }
  name() { const w = this.token("word", "a $name"); if (!/^\$[a-z][a-z0-9_]*$/.test(w)) throw new Slip(`expected a $name, got ${w}`); return w.slice(1); }
  value() {
    if (this.kind("string")) return this.string();
    if (this.kind("json")) return this.json();
    const raw = this.token("word", "a value");
    if (raw[0] === "$" && raw.slice(1) in this.vars) return this.vars[raw.slice(1)];
    return this.parse(raw);
  }
  words() { const out = []; while (this.kind("word") && !this.is("->") || this.kind("string")) out.push(this.kind("string") ? this.string() : this.word()); return out; }
  clauses() {                                   // after ->
    if (!this.take("->")) throw new Slip("expected ->");
    const out = [[]];
    for (; this.more; this.i++) this.kind(",") ? out.push([]) : out.at(-1).push(this.t[this.i]);
    if (out.some((c) => c.length === 0)) throw new Slip("an empty check");
    return out.map((c) => new Reader(c, this.vars));
  }
  end() { if (this.more) throw new Slip(`unexpected ${this.t[this.i].raw}`); }
}

// ---- checks ----------------------------------------------------------------

function at(v, keys) {
  for (const [i, k] of keys.entries()) {
    if (v === null || v === undefined) return undefined;
    if (k === "*") return Object.values(v).map((x) => at(x, keys.slice(i + 1)));
    v = Array.isArray(v) && /^-\d+$/.test(k) ? v.at(Number(k)) : Object.hasOwn(Object(v), k) ? v[k] : undefined;
  }
  return v;
}

function compare(c, what, got) {
  const op = c.word("==, !=, <, >=, has, lacks or absent");
  if (op === "absent") { if (got !== undefined) miss(`${what} absent`, got); return; }
  const want = c.value(), text = typeof got === "string" ? got : JSON.stringify(got) ?? "";
  const held = { "==": () => isDeepStrictEqual(got, want), "!=": () => got !== undefined && !isDeepStrictEqual(got, want),
    "<": () => got < want, ">=": () => got >= want, has: () => text.includes(want), lacks: () => got !== undefined && !text.includes(want) }[op];
  if (held === undefined) throw new Slip(`unknown comparison ${op}`);
  if (!held()) miss(`${what} ${op} ${show(want)}`, got);
}

// One check of an answer: { json, text, headers }.
export function checkAnswer(s, c, a) {
  const first = c.more ? c.t[0].raw : "";
  if (first[0] === ".") {
    const p = c.word();
    compare(c, p, at(a.json, p.split(".").filter(Boolean)));
  } else if (first[0] === "$") {
    const name = c.name();
    if (!c.take("=")) throw new Slip("expected =");
    const from = c.word(".path or line"), line = from === "line" ? c.int() : 0;
    const got = line > 0 ? a.text.split("\n")[line - 1] : at(a.json, from.split(".").filter(Boolean));
    if (got === undefined) miss(`${from} to be there`, a.text);
    s.vars[name] = got;
  } else if (c.take("header")) {
    const name = c.word();
    compare(c, `header ${name}`, a.headers?.[name.toLowerCase()]);
  } else if (c.is("has", "lacks", "starts")) {
    const op = c.word(), want = c.string(), got = a.text ?? "";
    if (op === "starts" ? !got.startsWith(want) : got.includes(want) !== (op === "has")) miss(`${op} ${JSON.stringify(want)}`, got);
  } else throw new Slip(`unknown check ${first}`);
  c.end();
}
