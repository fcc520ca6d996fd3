// search.mjs - finding things: store items, threads, assistants.
import { call, check, equal, finish, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const post = (target, body, headers) => call(server, "POST", target, body, headers);

await scenario("items: newest change first, by either name of the prefix", async () => {
  for (const key of ["a", "b", "c"])
    equal((await call(server, "PUT", "/store/items", { namespace: ["s", key], key, value: { n: 1 } })).status, 204, `put ${key}`);
  await call(server, "PUT", "/store/items", { namespace: ["s", "a"], key: "a", value: { n: 2 } });
  for (const name of ["namespace_prefix", "namespace"]) {
    const r = await post("/store/items/search", { [name]: ["s"] });
    equal([r.status, r.json.items.map((i) => i.key)], [200, ["a", "c", "b"]], `${name}: order`);
    equal([r.headers.get("x-search-truncated"), r.json.truncated], [null, undefined], "a whole answer says nothing");
  }
  equal((await post("/store/items/search", { namespace: "s" })).status, 422, "namespace: a text is refused");
  equal((await post("/store/items/search", {})).json.detail.includes("namespace_prefix"), true, "neither: named");
});

await scenario("items: a search that is cut says so", async () => {
  const s = await startServer({ mock, memory: true, args: ["--test-hooks", "--test-scan-ms", "1"] });
  const text = "x".repeat(100000);
  for (let i = 0; i < 80; i++) await call(s, "PUT", "/store/items", { namespace: ["big"], key: `k${i}`, value: { text } });
  const r = await call(s, "POST", "/store/items/search", { namespace_prefix: [], filter: { text: { $lt: "x" } } });
  equal([r.status, r.json, r.headers.get("x-search-truncated")], [200, { items: [], truncated: true }, "1"], "cut");
  check(/x-search-truncated/.test(r.headers.get("access-control-expose-headers") ?? ""), "and browsers may read it");
  await s.stop();
  const whole = await post("/store/items/search", { namespace_prefix: ["s"], limit: 2 });
  equal([whole.json.items.length, whole.json.truncated], [2, undefined], "what is found in time is whole");
});

await scenario("threads: pages say how many and where the next begins", async () => {
  for (let i = 0; i < 5; i++) await post("/threads", { metadata: { page: true, i } });
  const head = (r) => [r.json.length, r.headers.get("x-pagination-total"), r.headers.get("x-pagination-next")];
  const q = { metadata: { page: true } };
  equal(head(await post("/threads/search", { ...q, limit: 2 })), [2, "5", "2"], "first page");
  equal(head(await post("/threads/search", { ...q, limit: 2, offset: 2 })), [2, "5", "4"], "second page");
  equal(head(await post("/threads/search", { ...q, limit: 2, offset: 4 })), [1, "5", null], "last page");
  equal(head(await post("/threads/search", { ...q, limit: 2, offset: 9 })), [0, "5", null], "past the end");
  equal((await post("/threads/search", { ...q, select: ["metadata", "ttl"], limit: 1 })).json, [{ metadata: { page: true, i: 4 }, ttl: null }], "select");
  equal((await post("/threads/count", q)).text, "5", "count is a bare number");
  equal((await call(server, "POST", "/threads/search")).status, 200, "no body is no condition");
});

await scenario("threads: by status while runs go on", async () => {
  const t = (await post("/threads", { metadata: { who: "status" } })).json.thread_id;
  const count = async (status) => (await post("/threads/count", { metadata: { who: "status" }, status })).json;
  equal([await count("idle"), await count("busy")], [1, 0], "idle");
  const run = (await post(`/threads/${t}/runs`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "mock:stall" }] } })).json;
  equal([await count("idle"), await count("busy")], [0, 1], "busy");
  const deleted = await call(server, "DELETE", `/threads/${t}/runs/${run.run_id}`);
  equal([deleted.status, /under way/.test(deleted.json.detail)], [409, true], "a run under way is not deleted");
  await post(`/threads/${t}/runs/${run.run_id}/cancel?wait=1`);
  await until(async () => await count("idle") === 1, "idle again");
  equal((await call(server, "DELETE", `/threads/${t}/runs/${run.run_id}`)).status, 204, "and then it is");
  equal((await call(server, "DELETE", `/threads/${t}/runs/${run.run_id}`)).json.detail, "Run not found", "once");
});

await scenario("threads: PATCH", async () => {
  const t = (await post("/threads", { metadata: { a: 1 } })).json.thread_id;
  const full = await call(server, "PATCH", `/threads/${t}`, { metadata: { b: 2 } });
  equal([full.status, full.json.metadata, full.json.thread_id], [200, { a: 1, b: 2 }, t], "the thread");
  const minimal = await call(server, "PATCH", `/threads/${t}`, { metadata: { a: null } }, { prefer: "return=minimal" });
  equal([minimal.status, minimal.text], [204, ""], "minimal");
  equal((await call(server, "GET", `/threads/${t}`)).json.metadata, { a: null, b: 2 }, "and it is so");
  equal((await call(server, "PATCH", `/threads/${t}`, { metadata: [] })).status, 422, "metadata is an object");
});

await scenario("what is wrong is named", async () => {
  for (const [target, body, words] of [
    ["/threads/search", { sort_by: "name" }, "sort_by: expected"],
    ["/threads/search", { sort_order: "up" }, "sort_order: expected"],
    ["/threads/search", { select: ["thread_ids"] }, "select: expected some of thread_id"],
    ["/threads/search", { select: "thread_id" }, "select: expected an array"],
    ["/threads/search", { ids: ["x"] }, "ids[0]: expected a UUID"],
    ["/threads/search", { ids: Array(1001).fill("22222222-2222-4222-8222-222222222222") }, "ids: more than 1000"],
    ["/threads/search", { status: "pending" }, "status: expected"],
    ["/threads/search", { limit: 1001 }, "limit"],
    ["/threads/search", { metadata: "x" }, "metadata: expected an object"],
    ["/assistants/search", { sort_by: "status" }, "sort_by: expected"],
    ["/assistants/search", { select: ["values"] }, "select: expected some of assistant_id"],
    ["/assistants/count", { metadata: 5 }, "metadata: expected an object"],
  ]) {
    const r = await post(target, body);
    equal([r.status, r.json.detail?.includes(words)], [422, true], `${target} ${JSON.stringify(body).slice(0, 60)}: ${r.text}`);
  }
});

await scenario("runs: select in a list", async () => {
  const t = (await post("/threads", {})).json.thread_id;
  await post(`/threads/${t}/runs/wait`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } });
  const list = (query) => call(server, "GET", `/threads/${t}/runs?${query}`);
  equal((await list("select=status&select=cancel_reason")).json, [{ status: "success", cancel_reason: null }], "known names");
  equal((await list("select=" + encodeURIComponent('["status"]'))).json, [{ status: "success" }], "as JSON");
  const r = await list("select=status&select=state");
  equal([r.status, /select: expected some of run_id/.test(r.json.detail)], [422, true], `an unknown name: ${r.text}`);
});

await scenario("assistants: search", async () => {
  for (const name of ["Zoe", "Adam"]) await post("/assistants", { graph_id: "agent", name, metadata: { kind: "found", tags: [name] } });
  const names = async (q) => (await post("/assistants/search", { metadata: { kind: "found" }, ...q })).json.map((a) => a.name);
  equal(await names({}), ["Adam", "Zoe"], "newest first");
  equal(await names({ sort_by: "name", sort_order: "desc" }), ["Zoe", "Adam"], "by name");
  equal(await names({ name: "DA" }), ["Adam"], "a part of the name in any case");
  equal(await names({ graph_id: "none" }), [], "another graph");
  equal((await post("/assistants/search", { metadata: { tags: ["Zoe"] }, select: ["name"] })).json, [{ name: "Zoe" }], "select");
  equal((await post("/assistants/count", { metadata: { kind: "found" } })).text, "2", "count");
  const page = await post("/assistants/search", { metadata: { kind: "found" }, limit: 1 });
  equal([page.headers.get("x-pagination-total"), page.headers.get("x-pagination-next")], ["2", "1"], "pages");
});

finish();
