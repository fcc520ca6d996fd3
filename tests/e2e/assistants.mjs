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
