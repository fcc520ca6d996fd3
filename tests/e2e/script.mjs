// script.mjs [-v] [PATTERN...] - runs the annotated scripts in scripts/*.t, two
// at a time; a PATTERN is a part of a name.  One script is one page: what the
// model says, what the server is started with, what clients do and must get,
// and what must be in the log.  Each has a directory, ports and servers of its
// own.  Nothing sleeps: what takes time is waited for.
//
// A statement is a line; indented lines continue it; a line with # is a
// comment.  Tokens: words, "JSON strings", {JSON} and [JSON]; $name is
// replaced everywhere ($$ is a dollar).  An unknown word is an error.
//
//   model   [for ["WORDS"] | for tool ["WORDS"]] reply "TEXT" | call TOOL {ARGS}...
//             | status N, with ttft-ms N and token-ms N; without `for` the default
//   model   options WORD... | model forget (the mock starts anew with the server)
//   capture reply "TEXT"          a model that records what it is asked
//   asked   -> CHECKS             the last such request; `requests N` counts them
//   env     NAME VALUE            for every process started later
//   file    NAME [MODE], then `| line` a line;  poke FILE OFFSET HEX [was $name]
//   server  start [OPTION...] | kill | term | hup | stop (term, then gone) | gone [CODE]
//   cohort  ARG... -> CODE, CHECKS      a command that ends by itself
//   get, post, put, patch, delete  PATH [{BODY} | "BODY" | say "WORDS" [{MORE}]]
//             [with HEADER "VALUE"]... -> STATUS, CHECKS;  or: as NAME, to come back to
//   await   NAME -> STATUS, CHECKS      drop NAME: the client leaves
//   until   STATEMENT                   again and again until its checks hold
//   sse     METHOD PATH... as NAME -> READS;  sse NAME -> READS goes on reading
//   same    NAME NAME...                streams of the same bytes, to the end
//   jwt     $name {HEADER} {CLAIMS} "SECRET"
//   log     has WORD...  (all in one line; waits for it) | lacks WORD...
//
// CHECKS, by commas: .path OP VALUE with == != < >= has lacks absent; $v = .path;
// $v = line N; has "TEXT"; lacks "TEXT"; starts "TEXT"; header NAME OP VALUE.
// Paths: .a.0.b, .-1 is the last, .* maps, .length counts.  READS are these (on
// the last event's data) and: event NAME [xN]; skip to NAME or end; text "WORDS" (that
// messages events add up to); id N; comment "TEXT"; end; cut; drop.
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmodSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync, closeSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binary, check, finish, freePort, scratch, startMock, startServer, until } from "./lib.mjs";
import { checkAnswer, miss, Miss, Reader, Slip, tokenize } from "./script-read.mjs";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "scripts");
const verbose = process.argv.includes("-v");
const patterns = process.argv.slice(2).filter((a) => a !== "-v");
const root = scratch();
const WAIT = 20000, SANITIZER = /(Address|Leak|Thread|Undefined\w*)Sanitizer|runtime error:|Assertion .* failed/;

async function waitFor(condition, expected, came) {
  try { return await until(condition, expected, WAIT); } catch { miss(expected, came()); }
}

// ---- requests --------------------------------------------------------------

function send(s, method, target, body, headers) {
  if (!s.server) throw new Slip("no server was started");
  const r = { text: "", at: 0, headers: {}, state: "open" };
  if (body !== undefined) headers = { "content-type": "application/json", ...headers };
  r.req = http.request(s.server.url + target, { method, headers, agent: false });
  r.req.on("response", (res) => {
    Object.assign(r, { status: res.statusCode, headers: res.headers });
    res.setEncoding("utf8");
    res.on("data", (d) => { r.text += d; });
    res.on("end", () => { r.state = "ended"; try { r.json = JSON.parse(r.text); } catch { /* not JSON */ } });
    res.on("error", () => { r.state = "cut"; });
  });
  r.req.on("error", (e) => { if (r.state === "open") { r.state = "cut"; r.text ||= e.message; } });
  r.req.end(body === undefined || typeof body === "string" ? body : JSON.stringify(body));
  return r;
}

function readRequest(s, r, method) {
  const target = r.word("a path"), headers = {};
  let body;
  if (r.take("say")) {
    const content = r.string();
    body = { assistant_id: "agent", input: { messages: [{ role: "user", content }] }, ...(r.kind("json") ? r.json() : {}) };
  } else if (r.kind("json")) body = r.json();
  else if (r.kind("string")) body = r.string();
  while (r.take("with")) { const name = r.word("a header"); headers[name] = r.string(); }
  return send(s, method.toUpperCase(), target, body, headers);
}

async function answered(s, r, a) {
  await waitFor(() => a.state !== "open", "an answer", () => a.text);
  const checks = r.clauses(), status = checks.shift().int();
  if (a.status !== status) miss(`status ${status}`, `${a.status ?? a.state} ${a.text}`);
  s.held++;
  for (const c of checks) { checkAnswer(s, c, a); s.held++; }
}

// ---- streams ---------------------------------------------------------------

// The next frame of a stream: { comment } or { event, id, text, json }; null at its end.
async function frame(e, what) {
  const text = () => e.text.slice(e.at);
  await waitFor(() => text().includes("\n\n") || e.state !== "open", what, () => `nothing after ${e.text.slice(-300)}`);
  const end = e.text.indexOf("\n\n", e.at);
  if (end < 0) return null;
  const lines = e.text.slice(e.at, end).split("\n");
  e.at = end + 2;
  if (lines[0][0] === ":") return { comment: lines[0].slice(1).trim() };
  const f = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf(":")), l.slice(l.indexOf(":") + 1).trim()]));
  return { event: f.event, id: f.id, text: f.data, json: JSON.parse(f.data) };
}

async function nextEvent(e, what) {
  for (;;) {
    const f = await frame(e, what);
    if (f === null || f.event) { e.last = f; return f; }
  }
}

async function readStream(s, c, e) {
  if (c.take("event")) {
    const name = c.word(), n = c.more ? Number(/^x(\d+)$/.exec(c.word())?.[1] ?? NaN) : 1;
    if (!(n > 0)) throw new Slip("expected xN");
    for (let i = 0; i < n; i++) {
      const f = await nextEvent(e, `event ${name}`);
      if (f?.event !== name) miss(`event ${name}`, f ? `${f.event} ${f.text}` : `the stream ${e.state}`);
    }
  } else if (c.take("skip")) {
    if (!c.take("to")) throw new Slip("expected skip to NAME");
    const name = c.word();
    for (let f; f?.event !== name;) {
      f = await nextEvent(e, `event ${name}`);
      if (!f && name === "end" && e.state === "ended") break;
      if (!f) miss(`event ${name}`, `the stream ${e.state}`);
    }
  } else if (c.take("text")) {
    const want = c.string();
    for (let got = ""; got !== want;) {
      const f = await nextEvent(e, `text ${want}`);
      if (f?.event !== "messages" || !want.startsWith(got + f.json[0].content)) miss(`text ${want}`, `${got} | ${f ? f.event + f.text : `the stream ${e.state}`}`);
      got += f.json[0].content;
    }
  } else if (c.take("id")) {
    const id = c.int();
    if (e.last?.id !== String(id)) miss(`id ${id}`, e.last);
  } else if (c.take("comment")) {
    const want = c.string();
    for (let f; f?.comment !== want;) { f = await frame(e, `: ${want}`); if (!f) miss(`: ${want}`, `the stream ${e.state}`); }
  } else if (c.is("end", "cut")) {
    const want = c.word(), f = await nextEvent(e, `the stream to ${want}`);
    await waitFor(() => e.state !== "open", `the stream to ${want}`, () => e.text.slice(-300));
    if (f || e.state !== (want === "end" ? "ended" : "cut")) miss(`the stream to ${want}`, f ?? `it ${e.state}`);
  } else if (c.take("drop")) {
    e.req.destroy();
  } else {
    checkAnswer(s, c, { ...e.last, headers: e.headers });
  }
  c.end();
  s.held++;
}

// ---- the words -------------------------------------------------------------

function modelRule(r) {
  const rule = {};
  if (r.take("for")) {
    const role = r.take("tool") ? "tool" : "user";
    rule.match = { role, ...(r.kind("string") ? { last: r.string() } : {}) };
  }
  while (r.more) {
    if (r.take("reply")) rule.reply = r.string();
    else if (r.take("call")) (rule.tool_calls ??= []).push({ name: r.word(), args: r.json() });
    else if (r.is("status", "ttft-ms", "token-ms")) rule[r.word().replace("-", "_")] = r.int();
    else throw new Slip(`unknown word ${r.t[r.i].raw}`);
  }
  return rule;
}

async function startModel(s) {
  if (s.mock && !s.stale) return;
  if (s.mock) { s.mock.stop("SIGKILL"); await s.mock.exited; }
  const file = path.join(s.dir, "script.json"), rules = s.rules.filter((x) => x.match), other = s.rules.find((x) => !x.match);
  writeFileSync(file, JSON.stringify({ rules, ...(other ? { default: other } : {}) }));
  s.mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "1", "--script", file, ...s.options], {}, s.mock?.port);
  s.stale = false;
}

// Records each request and answers all of them alike, streamed or not.
async function startCapture(s, reply) {
  const server = http.createServer((req, res) => {
    let text = "";
    req.on("data", (d) => { text += d; }).on("end", () => {
      const json = JSON.parse(text), choice = (key, finish_reason) => ({ id: "c1", object: "chat.completion", model: json.model, choices: [{ index: 0, [key]: { role: "assistant", content: reply }, finish_reason }] });
      s.asked.push({ json, text, headers: req.headers });
      res.setHeader("content-type", json.stream ? "text/event-stream" : "application/json");
      res.end(json.stream ? `data: ${JSON.stringify(choice("delta", "stop"))}\n\ndata: [DONE]\n\n` : JSON.stringify(choice("message", "stop")));
    });
  });
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  s.mock = { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
  s.vars.capture = s.mock.url;
}

async function gone(s, code) {
  const exit = await Promise.race([s.server.exited, new Promise((r) => setTimeout(r, WAIT, null))]);
  if (exit?.code !== code) miss(`the server to end with ${code}`, exit ?? "it is still there");
  s.expectGone = true;
  s.held++;
}

const verbs = {
  async start(s, r) {
    if (s.server && !s.server.exit) throw new Slip("the server runs");
    if (s.rules.length > 0 || s.stale) await startModel(s);
    s.port ??= await freePort();
    s.vars.port = String(s.port);
    s.server = await startServer({ dir: s.dir, port: s.port, mock: s.mock, env: s.env, args: ["--log-level", "debug", ...r.words()] });
    s.servers.push(s.server);
    s.expectGone = false;
  },
  async kill(s) { s.expectGone = true; await s.server.stop("SIGKILL"); },
  async hup(s) { s.server.child.kill("SIGHUP"); },
  // Heard before the next statement: two signals that wait are one.
  async term(s) {
    const heard = () => (s.server.log.match(/main.*(draining|stops_now)/g) ?? []).length, before = heard();
    s.expectGone = true;
    s.server.child.kill("SIGTERM");
    await waitFor(() => heard() > before || s.server.exit, "the server to hear SIGTERM", () => "nothing");
  },
  async stop(s) { s.server.child.kill("SIGTERM"); await gone(s, 0); },
  async gone(s, r) { await gone(s, r.more ? r.int() : 0); },
};

const words = {
  async model(s, r) {
    s.stale = true;
    if (r.take("forget")) s.rules = [];
    else if (r.take("options")) s.options.push(...r.words());
    else s.rules.push(modelRule(r));
  },
  async capture(s, r) { if (!r.take("reply")) throw new Slip("expected reply"); await startCapture(s, r.string()); },
  async asked(s, r) {
    for (const c of r.clauses()) {
      if (c.take("requests")) { const n = c.int(); if (s.asked.length !== n) miss(`requests ${n}`, s.asked.length); }
      else if (s.asked.length === 0) miss("a request to the model", "none came");
      else checkAnswer(s, c, s.asked.at(-1));
      s.held++;
    }
  },
  async env(s, r) { s.env[r.word()] = r.kind("string") ? r.string() : r.word(); },
  async file(s, r, lines) {
    const name = path.join(s.dir, r.word("a file")), mode = r.more ? Number.parseInt(r.word("a mode"), 8) : 0o644;
    writeFileSync(name, lines.map((l) => {
      const m = /^\s+\| ?(.*)$/.exec(l);
      if (!m) throw new Slip(`expected | and a line, got ${l.trim()}`);
      return `${r.fill(m[1])}\n`;
    }).join(""));
    chmodSync(name, mode);
  },
  async poke(s, r) {
    const fd = openSync(path.join(s.dir, r.word("a file")), "r+"), offset = r.int(), bytes = Buffer.from(r.word("hex"), "hex");
    const was = Buffer.alloc(bytes.length);
    readSync(fd, was, 0, was.length, offset);
    writeSync(fd, bytes, 0, undefined, offset);
    closeSync(fd);
    if (r.take("was")) s.vars[r.name()] = was.toString("hex");
  },
  async server(s, r) {
    const verb = r.word(Object.keys(verbs).join(", "));
    if (!Object.hasOwn(verbs, verb)) throw new Slip(`server cannot ${verb}`);
    if (verb !== "start" && !s.server) throw new Slip("no server was started");
    await verbs[verb](s, r);
  },
  async cohort(s, r) {
    const args = r.words(), checks = r.clauses(), code = checks.shift().int();
    const a = await new Promise((resolve) => execFile(binary, args, { cwd: s.dir, env: { PATH: process.env.PATH, HOME: s.dir, ...s.env }, timeout: WAIT },
      (e, out, err) => resolve({ code: e ? e.code ?? e.signal : 0, text: out + err })));
    if (a.code !== code) miss(`exit code ${code}`, `${a.code}: ${a.text}`);
    s.held++;
    for (const c of checks) { checkAnswer(s, c, a); s.held++; }
    r.i = r.t.length;
  },
  async await(s, r) { await answered(s, r, named(s, r)); },
  async drop(s, r) { named(s, r).req.destroy(); },
  async sse(s, r) {
    const known = !r.is(...methods), e = known ? named(s, r) : readRequest(s, r, r.word());
    if (!known) {
      if (!r.take("as")) throw new Slip("expected as NAME");
      s.named[r.word()] = e;
      await waitFor(() => e.status || e.state !== "open", "an answer", () => e.text);
      if (e.status !== 200) { await waitFor(() => e.state !== "open", "its end", () => e.text); miss("status 200", `${e.status} ${e.text}`); }
    }
    for (const c of r.clauses()) await readStream(s, c, e);
  },
  async same(s, r) {
    const names = r.words(), all = names.map((n) => s.named[n] ?? (() => { throw new Slip(`nothing is called ${n}`); })());
    await waitFor(() => all.every((e) => e.state !== "open"), "all streams to end", () => all.map((e) => e.state));
    for (const [i, e] of all.entries()) {
      if (e.state !== "ended" || e.text === "" || e.text !== all[0].text) miss(`${names[i]} the same as ${names[0]}`, `${e.state} ${e.text}\n---\n${all[0].text}`);
      s.held++;
    }
  },
  async jwt(s, r) {
    const name = r.name(), part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url"), body = `${part(r.json())}.${part(r.json())}`, secret = r.string();
    s.vars[name] = `${body}.${secret && createHmac("sha256", secret).update(body).digest("base64url")}`;
  },
  async log(s, r) {
    const op = r.word("has or lacks"), want = r.words(), text = () => s.servers.map((x) => x.log).join("");
    const found = () => text().split("\n").find((l) => want.every((w) => l.includes(w)));
    if (want.length === 0 || !["has", "lacks"].includes(op)) throw new Slip("expected has or lacks, and words");
    if (op === "has") await waitFor(found, `a log line with ${want.join(" ")}`, () => text().slice(-600));
    else if (found()) miss(`no log line with ${want.join(" ")}`, found());
    s.held++;
  },
  async until(s, r, lines) {
    const inner = r.t.slice(1), word = r.word();
    let last;
    if (!["asked", ...methods].includes(word)) throw new Slip(`until takes a request or asked, not ${word}`);
    await until(async () => {
      const held = s.held;
      try { await words[word](s, new Reader(inner, s.vars), lines); return true; } catch (e) { if (!(e instanceof Miss)) throw e; s.held = held; last = e; return false; }
    }, "it", WAIT).catch((e) => { throw e instanceof Slip || !last ? e : last; });
    r.i = r.t.length;
  },
};
const methods = ["get", "post", "put", "patch", "delete"];
for (const method of methods) {
  words[method] = async (s, r) => {
    const a = readRequest(s, r, method);
    if (r.take("as")) s.named[r.word()] = a;
    else await answered(s, r, a);
  };
}

function named(s, r) {
  const name = r.word("a name");
  if (!Object.hasOwn(s.named, name)) throw new Slip(`nothing is called ${name}`);
  return s.named[name];
}

// ---- scripts ---------------------------------------------------------------

// [{ line, text, lines }]: a statement with its first line's number.
function statements(file, text) {
  const out = [];
  for (const [i, l] of text.split("\n").entries()) {
    if (/^\s*(#|$)/.test(l)) continue;
    if (/^\s/.test(l) && out.length === 0) throw new Slip(`${file}:${i + 1}: continues nothing`);
    if (/^\s/.test(l)) out.at(-1).lines.push(l);
    else out.push({ line: i + 1, text: l, lines: [] });
  }
  for (const x of out) {
    const word = x.text.split(/\s/, 1)[0];
    if (!Object.hasOwn(words, word)) throw new Slip(`${file}:${x.line}: unknown word ${word}`);
    x.word = word;
    x.source = word === "file" ? x.text : [x.text, ...x.lines].join(" ");
  }
  return out;
}

async function runScript(file) {
  const dir = path.join(root, file.slice(0, -2)), began = performance.now();
  mkdirSync(dir);
  const s = { dir, env: {}, rules: [], options: [], asked: [], servers: [], named: {}, held: 0, vars: { dir, db: path.join(dir, "cohort.db") } };
  let x = { line: 1, source: "" };
  try {
    for (x of statements(file, readFileSync(path.join(folder, file), "utf8"))) {
      if (verbose) console.log(`${file}:${x.line}: ${x.source.replace(/\s+/g, " ")}`);
      const r = new Reader(tokenize(x.source.slice(x.word.length)), s.vars);
      await words[x.word](s, r, x.lines);
      if (!["await", "log"].includes(x.word) && !r.t.some((t) => t.raw === "->")) r.end();
      if (s.server?.exit && !s.expectGone) miss("the server to stay up", `${JSON.stringify(s.server.exit)} ${s.server.log.slice(-600)}`);
    }
    const bad = s.servers.map((v) => v.log).join("").split("\n").find((l) => SANITIZER.test(l));
    if (bad) miss("no sanitizer report", bad);
  } catch (e) {
    const words = e instanceof Miss ? `expected ${e.message}\n     came     ${e.came}` : e.constructor === TypeError ? e : e.message;
    check(false, x.source ? `${file}:${x.line}: ${x.source.replace(/\s+/g, " ").slice(0, 160)}` : file, words);
    if (verbose) console.log(s.servers.map((v) => v.log).join("").split("\n").slice(-60).join("\n"));
  }
  for (let i = 0; i < s.held; i++) check(true);
  for (const p of [s.mock, ...s.servers]) if (p && !p.exit) await p.stop("SIGKILL");
  console.log(`${file.padEnd(28)} ${String(s.held).padStart(3)} held  ${Math.round(performance.now() - began)} ms`);
}

const queue = readdirSync(folder).filter((f) => f.endsWith(".t") && (patterns.length === 0 || patterns.some((p) => f.includes(p)))).sort();
await Promise.all([0, 1].map(async () => { while (queue.length > 0) await runScript(queue.shift()); }));
finish();
