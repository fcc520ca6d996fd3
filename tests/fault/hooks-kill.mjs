// hooks-kill.mjs [ROUNDS] - kill -9 while webhooks are sent.
//
// Clients start runs with and without a thread, each with a webhook; the receiver answers
// now and then too late to be heard.  Each run that was acknowledged is told at least
// once, with its id and one content; a message that was confirmed before a kill, and
// whose row was gone then, does not come again.  20 rounds, or as many as are asked for.
import { randomInt } from "node:crypto";
import http from "node:http";
import { call, check, equal, finish, freePort, scratch, startMock, startServer, until } from "../e2e/lib.mjs";

const rounds = Number(process.argv[2] ?? 20);
const dir = scratch(), port = await freePort(), mock = await startMock(["--delay-ms", "1", "--stream-delay-ms", "0"]);

const told = new Map();                      // by id: what came
const receiver = http.createServer((q, a) => {
  let body = "";
  q.on("data", (d) => { body += d; });
  q.on("end", () => {
    const id = q.headers["x-cohort-delivery"];
    told.set(id, [...(told.get(id) ?? []), JSON.parse(body)]);
    setTimeout(() => a.end(), randomInt(0, 30));
  });
});
await new Promise((f) => receiver.listen(0, "127.0.0.1", f));
const webhook = `http://127.0.0.1:${receiver.address().port}/`;
const start = () => startServer({ dir, port, mock, args: ["--webhooks-disable-loopback=false"] });

const accepted = new Map();                  // run_id: what was said
let server = await start(), stop = false, n = 0;

async function client(stateless) {
  while (!stop) {
    const text = `say ${n++}`;
    try {
      const path = stateless ? "/runs" : `/threads/${(await call(server, "POST", "/threads", {})).json.thread_id}/runs`;
      const r = await call(server, "POST", path, { assistant_id: "agent", input: { messages: [{ role: "user", content: text }] }, webhook });
      if (r.status === 200) accepted.set(r.json.run_id, text);
    } catch { await new Promise((f) => setTimeout(f, 5)); }
  }
}
const clients = [client(false), client(false), client(true)];
for (let i = 0; i < rounds; i++) {
  const before = accepted.size;
  await until(() => accepted.size >= before + 10, "runs to be accepted");
  await new Promise((f) => setTimeout(f, randomInt(0, 60)));
  await server.stop("SIGKILL");
  server = await start();
}
stop = true;
await Promise.all(clients);
await until(() => [...accepted.keys()].every((id) => told.has(id)), "each run to be told", 60000).catch(() => {});
const missing = [...accepted.keys()].filter((id) => !told.has(id));
equal(missing, [], `each of ${accepted.size} runs that were accepted is told`);
const wrong = [...accepted].filter(([id, text]) => told.get(id)?.some((b) => b.run_id !== id || (b.status === "success" && b.values.messages[0].content !== text)));
equal(wrong, [], "with its own id and values");
const twice = [...told.values()].filter((b) => b.length > 1);
check(twice.every((b) => new Set(b.map(({ webhook_sent_at, ...rest }) => JSON.stringify(rest))).size === 1), "a copy says the same", twice[0]);
// Once all answers are heard, the rows are gone: nothing comes after another start.
const heard = () => [...told.values()].flat().length;
const restart = async () => {
  await server.stop();
  await until(() => new Promise((f) => receiver.getConnections((e, n) => f(n === 0))), "its connections to be closed");
  const before = heard();
  server = await start();
  const r = await call(server, "POST", "/runs/wait", { assistant_id: "agent", input: { messages: [{ role: "user", content: "last" }] }, webhook });
  const id = r.headers.get("content-location").split("/").at(-1);
  await until(async () => told.has(id) && (await call(server, "GET", "/metrics")).text.includes(`cohort_webhooks_delivered_total ${heard() - before}\n`), "all answers to be heard");
  return heard() - before;
};
await restart();
equal(await restart(), 1, "the last one, and nothing else");
console.log(`# ${accepted.size} runs, ${heard()} messages, ${rounds} kills`);
await server.stop();
finish();
