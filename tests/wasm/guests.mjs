// guests.mjs - the guests of agents/examples/wasm, built where tests of any kind use them:
//
//   import { guest } from "../wasm/guests.mjs";     guest("counter") -> path of counter.wasm
//
// and, run by itself, each of them in an engine that is not ours (node's) with a host of a
// few lines: they say what their first comment promises.
//
// SPDX-License-Identifier: MIT
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { check, equal, finish, repo, scenario, scratch } from "../e2e/lib.mjs";

const out = path.join(repo, "build", "guests");
let built = false;

// Suites that run at the same time build once: the second waits for the lock.
export function guest(name) {
  if (!built) {
    mkdirSync(out, { recursive: true });
    const made = spawnSync("flock", [path.join(out, ".lock"), "make", "-s", "-C", path.join(repo, "agents/examples/wasm"), `OUT=${out}`],
      { encoding: "utf8", timeout: 110000 });
    if (made.status !== 0) throw new Error(`the guests do not compile:\n${made.stdout}${made.stderr}`);
    built = true;
  }
  return path.join(out, `${name}.wasm`);
}

// hand.c: what it does is said by its messages; defines: ["VERSION=2", "BAD"].
export function hand(...defines) {
  const file = path.join(scratch(), `hand-${defines.join("-").replace(/[^A-Za-z0-9-]/g, "")}.wasm`);
  const made = spawnSync("clang", ["--target=wasm32", "-nostdlib", "-O2", "-Wall", "-Wextra", "-I", path.join(repo, "include"), ...defines.map((d) => `-D${d}`),
    "-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=65536", "-Wl,--strip-all", "-o", file, path.join(repo, "tests/wasm/hand.c")], { encoding: "utf8", timeout: 60000 });
  if (made.status !== 0) throw new Error(`hand.c does not compile:\n${made.stdout}${made.stderr}`);
  return readFileSync(file);
}

// ---- by itself -------------------------------------------------------------------------

// A host: what the guest did is in the lists.
async function load(name, tool = () => "0") {
  const host = { logs: [], sent: [], replies: [], store: new Map() };
  const at = (p, n) => Buffer.from(guestMemory().buffer, p >>> 0, n >>> 0);
  const text = (p, n) => Buffer.from(at(p, n)).toString();
  const give = (s, p, cap) => { const b = Buffer.from(s); b.copy(at(p, cap), 0, 0, Math.min(b.length, cap >>> 0)); return b.length; };
  const cohort = {
    log: (level, p, n) => { host.logs.push([level, text(p, n)]); },
    now_ms: () => 1700000000000n,
    send: (p, n) => { host.sent.push(JSON.parse(text(p, n))); return 0; },
    reply: (p, n) => { host.replies.push(JSON.parse(text(p, n))); return 0; },
    store_get: (k, kn, p, cap) => host.store.has(text(k, kn)) ? give(host.store.get(text(k, kn)), p, cap) : -1,
    store_put: (k, kn, p, n) => { host.store.set(text(k, kn), text(p, n)); return 0; },
    tool_call: (k, kn, a, an, p, cap) => {
      try { return give(tool(text(k, kn), JSON.parse(text(a, an))), p, cap); } catch (e) { give(e.message, p, cap); return -6; }
    },
  };
  const { instance } = await WebAssembly.instantiate(readFileSync(guest(name)), { cohort });
  const guestMemory = () => instance.exports.memory;
  instance.exports._initialize?.();
  host.tell = (message) => {
    const bytes = Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
    const p = instance.exports.alloc(bytes.length);
    if (p === 0 && bytes.length > 0) return "no room";
    bytes.copy(at(p, bytes.length));
    return instance.exports.handle_message(p, bytes.length);
  };
  host.ask = (content) => { host.replies.length = 0; const rc = host.tell({ performative: "request", sender: "me", content }); return rc === 0 ? host.replies : rc; };
  return host;
}

async function counts() {
  const g = await load("counter");
  equal(g.ask("hi"), [{ content: { count: 1, echo: "hi" } }], "counter: the first");
  equal(g.ask({ a: [1, { b: "}]\\\"" }] }), [{ content: { count: 2, echo: { a: [1, { b: "}]\\\"" }] } } }], "counter: any JSON comes back");
  equal(g.tell('{"x":{"content":1},"performative":"inform"}'), 0, "counter: a message without content");
  equal(g.replies.at(-1), { content: { count: 3, echo: null } }, "counter: content inside another member is not it");
  equal(g.tell(" { \"content\" : -12.5e3 , \"sender\":\"x\"} "), 0, "counter: blanks");
  equal(g.replies.at(-1), { content: { count: 4, echo: -12500 } }, "counter: a number as it stands");
  for (const bad of ["", "{", "\"", "{\"content", "{\"content\"", "{\"content\":", "{\"content\":\"x", "[", "{\"content\":[[[", "]}", "{\"a\\"])
    check(typeof g.tell(bad) === "number", `counter: text that is cut off does no harm: ${bad}`);
  equal(g.tell("x".repeat(70000)), "no room", "counter: too long a message has no room");
}

async function words() {
  const g = await load("words");
  equal(g.ask("to be, or not To BE"), [{ content: { words: 6, different: 4, top: [["be", 2], ["to", 2], ["not", 1]] } }], "words: counted");
  equal(g.ask({ text: "b a b\n\u00e9t\u00e9 \u00e9t\u00e9 \ud83d\ude00", top: 9 }), [{ content: { words: 6, different: 4, top: [["b", 2], ["\u00e9t\u00e9", 2], ["a", 1], ["\ud83d\ude00", 1]] } }], "words: any language");
  equal(g.tell(JSON.stringify({ content: "\u00e9 \ud83d\ude00" }).replace(/[^\x00-\x7f]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"))), 0, "words: escapes");
  equal(g.replies.at(-1).content.top, [["\u00e9", 1], ["\ud83d\ude00", 1]], "words: escapes are characters");
  equal(g.ask(""), [{ content: { words: 0, different: 0, top: [] } }], "words: of nothing");
  equal(g.ask(["no"]), [{ performative: "refuse", content: "expected a text, or text and top" }], "words: refused");
  equal(g.logs, [[1, "refused: expected a text, or text and top"]], "words: printf is the log");
  const many = Array.from({ length: 20000 }, (_, i) => `w${i % 777}`).join(" ");
  equal(g.ask({ text: many, top: 1 })[0].content, { words: 20000, different: 777, top: [["w0", 26]] }, "words: a long text");
}

async function ledger() {
  const g = await load("ledger", (name, args) => {
    if (name !== "calculate") throw new Error("no such tool");
    if (args.expression === "1 / 0") throw new Error("division by zero");
    return args.expression === "6 * 7" ? "42" : "1.5";
  });
  equal(g.ask({ add: 5 }), [{ content: { sum: 5 } }], "ledger: a number");
  equal(g.ask({ add: "6 * 7" }), [{ content: { sum: 47 } }], "ledger: by a tool");
  equal(g.store.get("sum"), "47", "ledger: kept in the store");
  equal(g.ask("6 * 7"), [{ content: { sum: 89 } }], "ledger: a text is an expression");
  equal(g.ask({ add: -42 }), [{ content: { sum: 47 } }], "ledger: a number below 0");
  equal(g.ask({ add: "1 / 0" }), [{ performative: "refuse", content: "division by zero" }], "ledger: a tool that fails is refused in its words");
  equal(g.ask({ add: "3 / 2" })[0].performative, "refuse", "ledger: no whole number");
  equal(g.ask({ add: [] })[0].performative, "refuse", "ledger: no amount");
  equal(g.ask({ tell: "ann \"x\"" }), [{ content: { sum: 47 } }], "ledger: what it is");
  equal(g.sent, [{ to: "ann \"x\"", performative: "inform", content: { sum: 47 } }], "ledger: a letter");
  check(g.logs.some(([level, t]) => level === 1 && t === "the sum is 47 at 1700000000000"), "ledger: the log and the clock", g.logs);
  equal(g.tell("{"), 0, "ledger: a message cut off is one without content");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await scenario("counter", counts);
  await scenario("words", words);
  await scenario("ledger", ledger);
  finish();
}
