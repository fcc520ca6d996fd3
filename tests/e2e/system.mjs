// system.mjs - pages of the server, and what only tests may do.
import { call, check, equal, finish, scenario, startMock, startServer } from "./lib.mjs";

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

finish();
