// assistants.mjs - assistants with the official SDKs: versions, searches, what goes when one is deleted.
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { Client as Client20 } from "sdk-2.0";
import { call, check, equal, finish, scenario, startMock, startServer } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const post = (target, body) => call(server, "POST", target, body);

async function drive(name, Client) {
  const { assistants } = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  const at = (s) => `sdk ${name}: ${s}`;

  // covers: client.assistants.create client.assistants.update client.assistants.getVersions client.assistants.setLatest
  await scenario(at("versions"), async () => {
    const a = await assistants.create({ graphId: "agent", name: "one", description: "d", metadata: { team: "a" },
      config: { recursion_limit: 7 }, context: { k: 1 } });
    await assistants.update(a.assistant_id, { name: "two", metadata: { more: true }, config: { configurable: { temperature: 0 } } });
    await assistants.update(a.assistant_id, { graphId: "agent" });
    const all = await assistants.getVersions(a.assistant_id);
    equal(all.map((v) => [v.version, v.name, v.metadata]), [[3, "two", { team: "a", more: true }],
      [2, "two", { team: "a", more: true }], [1, "one", { team: "a" }]], at("the newest first"));
    equal(Object.keys(all[2]).sort(), ["assistant_id", "config", "context", "created_at", "description", "graph_id", "metadata", "name", "version"],
      at("members of a version"));
    equal(all[2].config, { recursion_limit: 7 }, at("with the config it had"));
    equal((await assistants.getVersions(a.assistant_id, { limit: 1, offset: 1 })).map((v) => v.version), [2], at("a page"));
    equal((await assistants.getVersions(a.assistant_id, { metadata: { more: true } })).map((v) => v.version), [3, 2], at("by metadata"));
    equal(await assistants.getVersions(a.assistant_id, { metadata: { none: 1 } }), [], at("none of them"));
    const back = await assistants.setLatest(a.assistant_id, 1);
    equal([back.version, back.name, back.config, back.context, back.metadata], [1, "one", { recursion_limit: 7 }, { k: 1 }, { team: "a" }],
      at("back to the first"));
    equal(await assistants.get(a.assistant_id), back, at("which it is from then on"));
    check(back.updated_at > a.updated_at && back.created_at === a.created_at, at("it was changed"), back);
    equal((await assistants.update(a.assistant_id, { name: "four" })).version, 4, at("the next has a new number"));
    equal((await assistants.getVersions(a.assistant_id))[0].metadata, { team: "a" }, at("and goes on from the one in use"));
    await assistants.setLatest(a.assistant_id, 9).then(() => check(false, at("no such version")),
      (e) => equal([e.status, /Assistant version not found/.test(e.message)], [404, true], at("no such version")));
    await assistants.getVersions("22222222-2222-4222-8222-222222222222").then(() => check(false, at("versions of nobody")),
      (e) => equal([e.status, /Assistant not found/.test(e.message)], [404, true], at("versions of nobody")));
    equal((await assistants.getVersions("agent")).map((v) => [v.version, v.metadata]), [[1, { created_by: "system" }]], at("a graph's own"));
    await assistants.delete(a.assistant_id);
    await assistants.getVersions(a.assistant_id).then(() => check(false, at("versions after the end")), (e) => equal(e.status, 404, at("versions after the end")));
  });

  // covers: client.assistants.search client.assistants.count client.assistants.get client.assistants.delete
  await scenario(at("search"), async () => {
    const made = [];
    for (let i = 0; i < 5; i++)
      made.push(await assistants.create({ graphId: "agent", name: `Seek_${name} ${i}`, metadata: { seek: name, n: i, deep: { a: [1, { b: i }] } } }));
    const ids = (list) => list.map((a) => made.findIndex((m) => m.assistant_id === a.assistant_id));
    const q = { metadata: { seek: name } };
    equal(ids(await assistants.search(q)), [4, 3, 2, 1, 0], at("the newest first"));
    equal(ids(await assistants.search({ ...q, sortBy: "name", sortOrder: "asc", limit: 2, offset: 1 })), [1, 2], at("sorted, a page"));
    equal(ids(await assistants.search({ metadata: { deep: { a: [{ b: 3 }] } , seek: name } })), [3], at("containment"));
    equal(ids(await assistants.search({ ...q, name: `SEEK_${name} 2` })), [2], at("a part of the name in any case"));
    equal(await assistants.search({ ...q, name: "Seek%" }), [], at("% is a character"));
    equal(await assistants.search({ ...q, graphId: "none" }), [], at("another graph"));
    equal(Object.keys((await assistants.search({ ...q, select: ["assistant_id", "name"] }))[0]).sort(), ["assistant_id", "name"], at("select"));
    equal([await assistants.count(q), await assistants.count({ ...q, name: "seek" }), await assistants.count({ ...q, graphId: "none" })], [5, 5, 0], at("count"));
    await assistants.update(made[0].assistant_id, {});
    equal(ids(await assistants.search({ ...q, sortBy: "updated_at" }))[0], 0, at("by change"));
    equal((await assistants.get(made[0].assistant_id)).version, 2, at("a change of nothing is a version"));
    for (const a of made) await assistants.delete(a.assistant_id);
    equal(await assistants.count(q), 0, at("all are gone"));
  });

  // covers: client.assistants.getGraph client.assistants.getSchemas client.assistants.getSubgraphs
  await scenario(at("what an assistant is"), async () => {
    const a = await assistants.create({ graphId: "agent" });
    equal([a.name, a.version, a.description], ["Untitled", 1, null], at("a name of its own"));
    equal(await assistants.getGraph(a.assistant_id), await assistants.getGraph("agent"), at("its graph"));
    equal(await assistants.getSchemas(a.assistant_id), await assistants.getSchemas("agent"), at("its schemas"));
    equal(await assistants.getSubgraphs(a.assistant_id, { recurse: true }), {}, at("its sub-agents"));
    equal((await assistants.create({ graphId: "agent", assistantId: a.assistant_id, ifExists: "do_nothing", name: "x" })).name, "Untitled", at("there is one already"));
    await assistants.create({ graphId: "agent", assistantId: a.assistant_id }).then(() => check(false, at("twice")), (e) => equal(e.status, 409, at("twice")));
    await assistants.delete(a.assistant_id);
  });
}

await drive("1.9.31", Client19);
await drive("1.15.0", Client115);
await drive("2.0.0", Client20);

// What is under way of an assistant: one run runs, one waits behind it, one is held, and the cron of another.
async function busy() {
  const a = (await post("/assistants", { graph_id: "agent" })).json.assistant_id;
  const t = (await post("/threads", {})).json.thread_id;
  const body = (content, more = {}) => ({ assistant_id: a, input: { messages: [{ role: "user", content }] }, ...more });
  const done = (await post(`/threads/${t}/runs`, body("hi"))).json;
  await call(server, "GET", `/threads/${t}/runs/${done.run_id}/join`);
  const runs = [];
  for (const more of [{}, {}, { after_seconds: 3600 }]) runs.push((await post(`/threads/${t}/runs`, body("mock:stall", more))).json);
  const alone = (await post("/threads", {})).json.thread_id;
  runs.push((await post(`/threads/${alone}/runs`, body("mock:stall", { after_seconds: 3600 }))).json);
  const cron = (await post("/runs/crons", { assistant_id: a, schedule: "0 0 1 1 *", input: {} })).json.cron_id;
  const own = (await post(`/threads/${t}/runs/crons`, { assistant_id: a, schedule: "0 0 1 1 *", input: {} })).json.cron_id;
  const other = (await post(`/threads/${(await post("/threads", {})).json.thread_id}/runs`, { ...body("mock:stall"), assistant_id: "agent" })).json;
  return { a, t, alone, done, runs, crons: [cron, own], other };
}
const statusOf = async (r) => { const { json } = await call(server, "GET", `/threads/${r.thread_id}/runs/${r.run_id}`); return [json.status, json.cancel_reason]; };

await scenario("its runs end with it, and its crons go", async () => {
  const x = await busy();
  const waiter = call(server, "GET", `/threads/${x.t}/runs/${x.runs[1].run_id}/join`);
  equal((await call(server, "DELETE", `/assistants/${x.a}`)).json, [x.a], "deleted");
  for (const r of x.runs) equal(await statusOf(r), ["interrupted", "assistant deleted"], "a run that was under way");
  equal((await waiter).status, 200, "who waited for one is answered");
  equal(await statusOf(x.done), ["success", null], "one that had ended stays");
  equal((await statusOf(x.other))[0], "running", "as does another assistant's");
  for (const c of x.crons) equal((await call(server, "GET", `/runs/crons/${c}`)).status, 404, "a cron");
  equal([(await call(server, "GET", `/threads/${x.t}`)).json.status, (await call(server, "GET", `/threads/${x.alone}`)).json.status], ["idle", "idle"], "its threads rest");
  equal((await call(server, "GET", `/assistants/${x.a}`)).status, 404, "it is gone");
  await call(server, "POST", `/threads/${x.other.thread_id}/runs/${x.other.run_id}/cancel?wait=1`);
});

await scenario("with its threads, which end their streams", async () => {
  const x = await busy();
  const stream = await fetch(`${server.url}/threads/${x.t}/stream?stream_mode=lifecycle`);
  const text = stream.text();
  equal((await call(server, "DELETE", `/assistants/${x.a}?delete_threads=true`)).json, [x.a], "deleted");
  check(/"interrupted"/.test(await text), "the stream ends in order", await text);
  for (const t of [x.t, x.alone]) equal((await call(server, "GET", `/threads/${t}`)).status, 404, "a thread");
  equal((await statusOf(x.other))[0], "running", "another's thread stays");
  await call(server, "POST", `/threads/${x.other.thread_id}/runs/${x.other.run_id}/cancel?wait=1`);
});

await scenario("while runs of it begin", async () => {
  const a = (await post("/assistants", { graph_id: "agent" })).json.assistant_id;
  const begun = [];
  const start = async () => { const r = await post("/threads", {}); const s = await post(`/threads/${r.json.thread_id}/runs`, { assistant_id: a, input: { messages: [{ role: "user", content: "mock:stall" }] } }); if (s.status === 200) begun.push(s.json); return s.status; };
  for (let i = 0; i < 20; i++) await start();
  const race = Array.from({ length: 40 }, () => start());
  equal((await call(server, "DELETE", `/assistants/${a}`)).status, 200, "deleted");
  equal((await Promise.all(race)).filter((s) => s !== 200 && s !== 404), [], "each begins or finds no assistant");
  const left = (await Promise.all(begun.map(statusOf))).filter(([s, why]) => s !== "interrupted" || why !== "assistant deleted");
  equal(left, [], "none is left");
});

await scenario("bad input", async () => {
  const a = (await post("/assistants", { graph_id: "agent" })).json.assistant_id;
  const bad = [
    [`/assistants/${a}/versions`, { limit: 0 }, /limit/], [`/assistants/${a}/versions`, { limit: "1" }, /limit/],
    [`/assistants/${a}/versions`, { offset: -1 }, /offset/], [`/assistants/${a}/versions`, { metadata: [] }, /metadata/],
    [`/assistants/${a}/latest`, {}, /version/], [`/assistants/${a}/latest`, { version: 0 }, /version/],
    [`/assistants/${a}/latest`, { version: "1" }, /version/], [`/assistants/${a}/latest`, { version: 1.5 }, /version/],
    [`/assistants/${a}/latest`, { version: null }, /version/], [`/assistants/${a}/latest`, { version: 1e30 }, /version/],
  ];
  for (const [target, body, words] of bad) {
    const r = await post(target, body);
    check(r.status === 422 && words.test(r.json.detail), `${target.split("/").pop()} ${JSON.stringify(body)}`, r);
  }
  equal((await call(server, "POST", `/assistants/${a}/versions`)).status, 200, "versions without a body");
  equal((await post("/assistants/nobody/versions", {})).status, 404, "a graph that is not there");
  equal((await post("/assistants/nobody/latest", { version: 1 })).status, 404, "the same");
});

finish();
