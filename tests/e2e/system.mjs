// system.mjs - pages of the server, and what only tests may do.
import net from "node:net";
import { call, check, equal, finish, oneNode, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, args: ["--test-hooks"] });
const plain = await startServer({ mock, memory: true });
const post = (target, body) => call(server, "POST", target, body);

await scenario("/docs: every route, for people without a network", async () => {
  const page = await fetch(`${plain.url}/docs`), text = await page.text();
  equal([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"], "a page");
  const api = await (await fetch(`${plain.url}/openapi.json`)).json();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, op] of Object.entries(methods))
      check(text.includes(`<b>${method.toUpperCase()}</b><code>${path}</code>`) && text.includes(op.summary.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;")),
        `${method} ${path}`);
  equal([/<script|https?:\/\/|src=/.test(text), /default-src 'none'/.test(page.headers.get("content-security-policy"))], [false, true], "nothing from elsewhere");
  equal((await call(plain, "POST", "/docs", {})).status, 405, "it is only read");
});

await scenario("/internal/truncate: a test begins anew", async () => {
  const hi = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
  const t = (await post("/threads", {})).json.thread_id;
  await post(`/threads/${t}/runs/wait`, hi);
  for (let i = 0; i < 300; i++) await call(server, "PUT", "/store/items", { namespace: ["n", `${i % 7}`], key: `${i}`, value: { i } });
  await post("/assistants", { graph_id: "agent" });
  const counts = async () => [(await post("/threads/count", {})).json, (await post("/assistants/count", {})).json,
    (await post("/store/items/search", { namespace_prefix: ["n"], limit: 1 })).json.items.length, (await post("/store/namespaces", {})).json.namespaces.length];
  const before = await counts();
  equal([before[0], before[2], before[3]], [1, 1, 7], "there is something");
  equal((await post("/internal/truncate", { store: false })).json, { ok: true }, "nothing is asked for");
  equal(await counts(), before, "and nothing goes");
  const all = await post("/internal/truncate", { runs: true, threads: true, assistants: true, checkpointer: true, store: true });
  equal([all.status, all.json], [200, { ok: true }], "all");
  equal(await counts(), [0, before[1] - 1, 0, 0], "all but the assistants of graphs");
  equal((await post(`/threads/${t}/runs/wait`, hi)).status, 404, "the thread is gone");
  equal((await call(server, "PUT", "/store/items", { namespace: ["n"], key: "again", value: {} })).status, 204, "and life goes on");
});

await scenario("/internal/truncate: what it refuses", async () => {
  equal((await call(plain, "POST", "/internal/truncate", { threads: true })).status, 404, "without --test-hooks there is no such route");
  for (const [body, words] of [[{ runs: true }, /runs.*threads/], [{ checkpointer: true, store: true }, /checkpointer.*threads/], [{ threads: "yes" }, /threads/], [[], /object/]]) {
    const r = await post("/internal/truncate", body);
    check(r.status === 422 && words.test(r.json.detail), JSON.stringify(body), r);
  }
  const t = (await post("/threads", {})).json.thread_id;
  const run = (await post(`/threads/${t}/runs`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "mock:stall" }] } })).json;
  const busy = await post("/internal/truncate", { threads: true });
  equal([busy.status, /under way/.test(busy.json.detail)], [409, true], "a run under way");
  await post(`/threads/${t}/runs/${run.run_id}/cancel?wait=1`);
  equal((await post("/internal/truncate", { threads: true })).status, 200, "and when it has ended");
});

// Readers that take nothing fill the room that answers have; the next one waits, and
// is handled again when there is room.
await scenario("an answer that waits for room, below a prefix", async () => {
  const all = await startServer({ memory: true, health: "/api/ok", args: ["--http-mount-prefix", "/api", "--test-hooks", "--test-memory-bytes", String(96 << 20), "--shards", "1"] }), server = oneNode(all);
  const messages = Array.from({ length: 8 }, () => ({ role: "user", content: "x".repeat(1 << 20) }));
  const thread = (await call(server, "POST", "/api/threads", {})).json.thread_id;
  const run = await call(server, "POST", `/api/threads/${thread}/runs/wait`, { assistant_id: "agent", input: { messages } });
  equal([run.status, run.json.__error__], [200, undefined], "a large state");
  const state = await call(server, "GET", `/api/threads/${thread}/state`);
  check(state.text.length > 8 << 20, "a large state", `${state.status} ${state.text.slice(0, 200)}`);
  const idle = [1, 2, 3, 4].map(() => net.connect(server.port, server.host ?? "127.0.0.1", function () { this.pause().write(`GET /api/threads/${thread}/state HTTP/1.1\r\nhost: localhost\r\n\r\n`); }));
  const figure = async (name) => Number(new RegExp(`^${name} (\\S+)`, "m").exec((await call(server, "GET", "/api/metrics")).text)?.[1]);
  await until(async () => await figure("cohort_http_output_bytes") > 14 << 20, "three answers to be held");
  const next = call(server, "GET", `/api/threads/${thread}/state`);
  await call(server, "GET", "/api/ok");      // by then it waits
  for (const s of idle) s.destroy();
  const r = await next;
  check(r.status === 200 && r.text.length > 8 << 20, "it has its answer", `${r.status} ${r.text.slice(0, 100)}`);
  await all.stop();
});

finish();
