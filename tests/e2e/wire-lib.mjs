// wire-lib.mjs - a model's server that answers what it is told, byte for byte, and a
// Cohort that asks it: shared by the suites of wires.
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { call, parseEvents, scratch, startServer } from "./lib.mjs";

// What each model was asked, and what it answers: a list of lines, the last of
// which is given again and again.
export const models = new Map();

function respond(socket, answer) {
  if (answer.status === 0) { socket.end(answer.body); return; }
  const body = answer.body_base64 !== undefined ? Buffer.from(answer.body_base64, "base64") : Buffer.from(answer.body);
  const head = Object.entries(answer.headers).map(([k, v]) => `${k}: ${v}\r\n`).join("");
  socket.write(`HTTP/1.1 ${answer.status} Whatever\r\n${head}${answer.connection === "open" ? "" : "connection: close\r\n"}\r\n`);
  socket.write(body, () => {
    if (answer.connection === "closed") socket.end();
    if (answer.connection === "reset") setImmediate(() => socket.resetAndDestroy());
  });
}

// The model is named in the body, or in the path.
const modelOf = (target, body) => body.model ?? decodeURIComponent(/\/(?:models|deployments)\/([^/:]+)/.exec(target)?.[1] ?? "");

const upstream = net.createServer((socket) => {
  let got = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (d) => {
    got = Buffer.concat([got, d]);
    const end = got.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = got.subarray(0, end).toString();
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (got.length < end + 4 + length) return;
    const [method, target] = head.split(" ");
    const body = JSON.parse(got.subarray(end + 4, end + 4 + length).toString()), { answers, requests } = models.get(modelOf(target, body));
    requests.push({ method, path: target, head, at: performance.now(), body });
    got = got.subarray(end + 4 + length);
    respond(socket, answers[Math.min(requests.length, answers.length) - 1]);
  });
});
await new Promise((r) => upstream.listen(0, "127.0.0.1", r));
export const upstreamUrl = `http://127.0.0.1:${upstream.address().port}`;
export const closeUpstream = () => upstream.close();

// config: the text of a cohort.yaml, or nothing.
export async function startCohort(env, config) {
  const dir = scratch();
  if (config) writeFileSync(path.join(dir, "cohort.yaml"), config);
  return startServer({ memory: true, dir, env });
}

// One run: what the client saw, what is stored, what the model was asked.
export async function ask(server, provider, asked, list, { model, configurable = {}, messages = [{ role: "user", content: "go" }], tid } = {}) {
  const requests = [];
  models.set(model, { answers: list, requests });
  tid ??= (await call(server, "POST", "/threads", {})).json.thread_id;
  const body = { assistant_id: "agent", input: { messages }, config: { configurable: { model_name: `${provider}:${model}`, ...configurable } } };
  const r = { tid, asked, tuples: [], error: null }, began = performance.now();
  if (asked === "stream") {
    const res = await call(server, "POST", `/threads/${tid}/runs/stream`, { ...body, stream_mode: ["messages-tuple", "messages", "values"] });
    r.status = res.status;
    r.events = parseEvents(res.text);
    r.tuples = r.events.filter((e) => e.event === "messages").map((e) => e.json[0]);
    r.partials = r.events.filter((e) => e.event === "messages/partial").map((e) => e.json[0]);
    r.error = r.events.find((e) => e.event === "error")?.json ?? null;
  } else {
    const res = await call(server, "POST", `/threads/${tid}/runs/wait`, body);
    r.status = res.status;
    r.error = res.json?.__error__ ?? null;
  }
  r.ms = performance.now() - began;
  r.messages = (await call(server, "GET", `/threads/${tid}/state`)).json?.values?.messages ?? [];
  r.ai = r.messages.filter((m) => m.type === "ai");
  r.tools = r.messages.filter((m) => m.type === "tool");
  r.requests = requests;
  r.answers = list;
  return r;
}

export const joined = (r, id) => r.tuples.filter((t) => t.type === "ai" && (id === undefined || t.id === id)).map((t) => t.content).join("");
export const chunks = (r) => r.tuples.flatMap((t) => t.tool_call_chunks ?? []);
