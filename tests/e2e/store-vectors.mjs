// store-vectors.mjs - store items found by how near they are: an embeddings endpoint,
// its failures, other models, restarts.
import { execFileSync } from "node:child_process";
import http from "node:http";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, processes, scenario, scratch, startMock, startServer } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--dims", "64"]);
const index = ["--store-index-embed", "openai:mock-embed", "--store-index-dims", "64"];
const dir = scratch();
let server = await startServer({ mock, dir, args: index });
const put = (namespace, key, value, more = {}) => call(server, "PUT", "/store/items", { namespace, key, value, ...more });
const search = async (body) => (await call(server, "POST", "/store/items/search", body)).json;
const keys = async (body) => (await search(body)).items?.map((i) => i.key);

await scenario("the mock's vectors: by text, near for alike texts", async () => {
  const r = await call(mock, "POST", "/v1/embeddings", { model: "m", input: ["green tea", "green teas", "steel bridge"] });
  const [a, b, c] = r.json.data.map((d) => d.embedding);
  const cos = (x, y) => x.reduce((s, v, i) => s + v * y[i], 0);
  equal([r.status, a.length, r.json.data.map((d) => d.index)], [200, 64, [0, 1, 2]], "shape");
  check(Math.abs(cos(a, a) - 1) < 1e-4 && cos(a, b) > 0.4 && cos(a, c) < 0.4, "near and far", [cos(a, b), cos(a, c)]);
  equal((await call(mock, "POST", "/v1/embeddings", { input: "one", dimensions: 8 })).json.data[0].embedding.length, 8, "dimensions");
  equal((await call(mock, "POST", "/v1/embeddings", { input: [5] })).status, 400, "no text");
});

await scenario("the nearest first, under a prefix, with a filter, exactly", async () => {
  const v = ["v"];
  await put([...v, "a"], "tea", { text: "drinking green tea in the morning", kind: 1 });
  await put([...v, "a"], "bridge", { text: "a bridge of steel over the river", kind: 2 });
  await put([...v, "b"], "coffee", { text: "drinking black coffee in the morning", kind: 2 });
  await put([...v, "b"], "off", { text: "drinking green tea in the morning" }, { index: false });
  await put(["vx"], "other", { text: "drinking green tea in the morning" });
  const s = await search({ namespace_prefix: v, query: "green tea in the morning" });
  equal(s.items.map((i) => i.key), ["tea", "coffee", "bridge"], "in order, without index: false");
  check(s.items[0].score > s.items[1].score && s.items[1].score > s.items[2].score && s.items[0].score <= 1.0001, "scores", s.items.map((i) => i.score));
  equal(await keys({ namespace_prefix: ["v", "b"], query: "green tea" }), ["coffee"], "under a prefix");
  equal(await keys({ namespace_prefix: v, query: "drinking green tea in the morning", filter: { kind: 2 } }), ["coffee", "bridge"], "with a filter");
  equal(await keys({ namespace_prefix: v, query: "drinking green tea in the morning", limit: 1, offset: 1 }), ["coffee"], "a page");
  equal((await keys({ namespace_prefix: [], query: "green tea" })).length, 4, "of all: from memory");
  await put([...v, "a"], "tea", { text: "now about bridges of steel" });
  equal((await keys({ namespace_prefix: [], query: "green tea in the morning" }))[0], "other", "a put replaces its vectors");
  await call(server, "DELETE", "/store/items", { namespace: ["vx"], key: "other" });
  equal((await keys({ namespace_prefix: [], query: "green tea in the morning" }))[0], "coffee", "a delete takes them");
});

await scenario("parts: the nearest of an item's vectors counts, each item once", async () => {
  await put(["p"], "many", { title: "about ships", notes: [{ t: "sailing at night" }, { t: "repairing a mast" }] }, { index: ["title", "notes[*].t"] });
  await put(["p"], "one", { title: "about trains" }, { index: ["title"] });
  const s = await search({ namespace_prefix: ["p"], query: "repairing a mast" });
  equal(s.items.map((i) => i.key), ["many", "one"], "once");
  check(s.items[0].score > 0.99, "of the very part", s.items[0]);
});

await scenario("what is acknowledged is on disk with its vectors", async () => {
  await put(["k"], "kept", { text: "an unmistakable sentence" });
  await server.stop("SIGKILL");
  server = await startServer({ mock, dir, args: index });
  equal((await search({ namespace_prefix: ["k"], query: "an unmistakable sentence" })).items.map((i) => i.key), ["kept"], "after kill -9");
});

await scenario("a model that fails: nothing is half written, and the words say who", async () => {
  const r = await put(["bad"], "a", { text: "mock:400" }, { index: ["text"] });
  equal([r.status, /embedding model openai:mock-embed failed/.test(r.json.detail)], [502, true], "refused by it");
  equal((await call(server, "GET", "/store/items?namespace=bad&key=a")).json, null, "nothing there");
  const q = await call(server, "POST", "/store/items/search", { namespace_prefix: ["bad"], query: "mock:400" });
  equal(q.status, 502, "a query likewise");
  equal((await put(["bad"], "a", { text: "mock:400" }, { index: false })).status, 204, "what is not embedded needs no model");
  equal((await call(server, "PUT", "/store/items", { namespace: ["bad"], key: "b", value: { text: "x".repeat(2000000) } })).status >= 400, true, "too long to embed");
});

// In front of the mock: counts requests, their texts, and how many are under way; refuses
// a request for one of its texts.
async function counter() {
  const c = { requests: [], now: 0, most: 0 };
  const web = http.createServer(async (req, res) => {
    let body = "";
    for await (const piece of req) body += piece;
    c.requests.push(JSON.parse(body).input.length);
    c.most = Math.max(c.most, ++c.now);
    const r = body.includes("refuse me") ? { status: 400, text: '{"error":{"message":"a text is refused"}}' } : await call(mock, "POST", req.url, JSON.parse(body));
    c.now--;
    res.writeHead(r.status, { "content-type": "application/json" }).end(r.text);
  });
  await new Promise((done) => web.listen(0, "127.0.0.1", done));
  return Object.assign(c, { url: `http://127.0.0.1:${web.address().port}/v1`, close: () => new Promise((done) => web.close(done)) });
}

await scenario("puts that come together share requests, within the provider's concurrency; who put it pays", async () => {
  const c = await counter(), home = scratch();
  writeFileSync(path.join(home, "cohort.yaml"), `providers: {emb: {type: openai, base_url: "${c.url}", concurrency: 1}}\nmodels: {e: {targets: ["emb:mock-embed"], price: {input: 1000, output: 0}}}\n`, { mode: 0o600 });
  const s = await startServer({ mock, dir: home, args: ["--store-index-embed", "e", "--store-index-dims", "64"] });
  const one = (i, text) => call(s, "PUT", "/store/items", { namespace: ["many"], key: `k${i}`, value: { text }, index: ["text"] });
  const text = (i) => i === 17 ? "refuse me" : `${["ships", "trains", "bridges", "gardens"][i % 4]} of the year ${1700 + 7 * i}`;
  const all = await Promise.all(Array.from({ length: 60 }, (_, i) => one(i, text(i))));
  equal(all.map((r, i) => [i, r.status, r.text]).filter(([i, status]) => status !== (i === 17 ? 502 : 204)), [], "each by itself: one text is refused, the others are not");
  check(c.most <= processes(s), "one request at a time of each node", c.most);
  check(c.requests.length < 60 + 10 && Math.max(...c.requests) > 1, "shared", c.requests);
  for (const i of [0, 16, 18, 59])
    equal((await call(s, "POST", "/store/items/search", { namespace_prefix: ["many"], query: text(i), limit: 1 })).json.items[0].key, `k${i}`, `the vector of ${text(i)} is its own`);
  const before = c.requests.length;
  await Promise.all(Array.from({ length: 40 }, (_, i) => one(100 + i, `again ${i}`)));
  check(c.requests.length - before <= 20, "forty in few", c.requests.slice(before));
  const u = (await call(s, "GET", "/usage?group_by=model")).json;
  check(u.groups[0].model === "e" && u.groups[0].input_tokens > 100 && u.groups[0].cost > 0, "on the owner's account", u);
  await s.stop();
  await c.close();
});

await scenario("answers that are not what was asked for: each is refused, nothing is written", async () => {
  const answers = { data: [] }, web = http.createServer((req, res) => { req.resume().on("end", () => res.end(JSON.stringify(answers))); });
  await new Promise((done) => web.listen(0, "127.0.0.1", done));
  const home = scratch(), row = (index, embedding) => ({ index, embedding });
  writeFileSync(path.join(home, "cohort.yaml"), `providers: {emb: {type: openai, base_url: "http://127.0.0.1:${web.address().port}/v1"}}\n`, { mode: 0o600 });
  const s = await startServer({ mock, dir: home, args: ["--store-index-embed", "emb:m", "--store-index-dims", "2"] });
  const two = () => call(s, "PUT", "/store/items", { namespace: ["odd"], key: "k", value: { a: "one", b: "two" }, index: ["a", "b"] });
  for (const [data, words] of [[[row(0, [1, 0])], /2 vectors.*1/], [[row(0, [1, 0]), row(0, [0, 1])], /index 0/], [[row(0, [1, 0]), row(1, [1])], /1 dims/], [[row(0, [1, 0]), row(1, [1, "x"])], /a string/], [[row(0, [1, 0]), row(1, [1e300, 1])], /float32/], [[row(0, [1, 0]), row(1)], /embedding/], [5, /0/]]) {
    answers.data = data;
    const r = await two();
    check(r.status === 502 && words.test(r.json.detail), JSON.stringify(data), r.text);
  }
  equal((await call(s, "GET", "/store/items?namespace=odd&key=k")).json, null, "nothing there");
  answers.data = [row(1, [0, 1]), row(0, [1, 0])];
  equal((await two()).status, 204, "in any order");
  await s.stop();
  await new Promise((done) => { web.close(done); web.closeAllConnections(); });
});

// As others' stores were reported to fail, by words and by vectors alike.
await scenario("siblings, wildcards, quotes, other owners: no search crosses over", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const as = (sub) => ({ authorization: `Bearer ${execFileSync(binary, ["token", "--sub", sub], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim()}` });
  const ann = as("ann"), bob = as("bob");
  for (const [name, args] of [["by words", []], ["by vectors", index]]) {
    const s = await startServer({ mock, memory: true, args: [...args, "--jwt-secret", secret] });
    const keep = async (who, namespace, key) => equal((await call(s, "PUT", "/store/items", { namespace, key, value: { text: "quarterly revenue", of: key } }, who)).status, 204, `${name}: put ${key}`);
    const find = async (who, namespace_prefix, more = {}) => {
      const r = await call(s, "POST", "/store/items/search", { namespace_prefix, limit: 100, ...more }, who);
      return r.json.items?.map((i) => i.key).sort() ?? r.status;
    };
    const query = { query: "quarterly revenue" };
    await keep(ann, ["tenant", "acme"], "acme");
    await keep(ann, ["tenant", "acme", "sub"], "below");
    for (const [label, key] of [["acme-corp", "corp"], ["acme_", "under"], ["acm%", "percent"], ["a'cme", "quote"]]) await keep(ann, ["tenant", label], key);
    await keep(bob, ["tenant", "acme"], "bobs");
    // langchain-ai/langgraphjs#2721, CVE-2026-71433: a sibling that begins alike.
    for (const more of [{}, query]) equal(await find(ann, ["tenant", "acme"], more), ["acme", "below"], `${name}: whole labels`);
    // Labels are no patterns, and no SQL.
    for (const more of [{}, query]) equal([await find(ann, ["tenant", "acm%"], more), await find(ann, ["tenant", "acme_"], more), await find(ann, ["tenant", "a'cme"], more), await find(ann, ["%"], more)], [["percent"], ["under"], ["quote"], []], `${name}: wildcards and quotes`);
    // CVE-2025-8709: a filter's key is no SQL.
    for (const more of [{}, query]) equal(await find(ann, ["tenant"], { ...more, filter: { "x' OR '1'='1": 1 } }), [], `${name}: a key of a filter`);
    equal(await find(ann, ["tenant"], { ...query, filter: { of: { $ne: "acme" } } }), ["below", "corp", "percent", "quote", "under"], `${name}: $ne beside a query`);
    for (const more of [{}, query]) equal(await find(bob, [], more), ["bobs"], `${name}: another owner's are not there`);
    const names = async (who, body) => (await call(s, "POST", "/store/namespaces", body, who)).json.namespaces.map((n) => n.join("/"));
    equal(await names(bob, {}), ["tenant/acme"], `${name}: nor are their namespaces`);
    equal(await names(ann, { prefix: ["tenant", "acme"] }), ["tenant/acme", "tenant/acme/sub"], `${name}: namespaces by whole labels`);
    await s.stop();
  }
});

await scenario("items of before the model was set: told at the start, found when they are put again", async () => {
  const home = scratch(), plain = await startServer({ mock, dir: home });
  const old = (s) => call(s, "PUT", "/store/items", { namespace: ["o"], key: "old", value: { text: "an old sentence" } });
  equal((await old(plain)).status, 204, "put without a model");
  await plain.stop();
  const s = await startServer({ mock, dir: home, args: index });
  check(/items_without_vectors n=1 /.test(s.log), "one of them", s.log);
  const found = async () => (await call(s, "POST", "/store/items/search", { namespace_prefix: ["o"], query: "an old sentence" })).json.items.map((i) => i.key);
  equal(await found(), [], "not found by meaning");
  await old(s);
  equal(await found(), ["old"], "found");
  await s.stop();
});

await scenario("dims, models, and addresses that do not fit", async () => {
  const wrong = await startServer({ mock, memory: true, args: ["--store-index-embed", "openai:mock-embed", "--store-index-dims", "32"] });
  const r = await call(wrong, "PUT", "/store/items", { namespace: ["d"], key: "k", value: { a: "x" } });
  equal([r.status, r.json.detail.includes("64 dims") && r.json.detail.includes("store.index.dims is 32")], [502, true], "other dims");
  await wrong.stop();
  const down = await startServer({ memory: true, env: { OPENAI_BASE_URL: `http://127.0.0.1:${await freePort()}/v1`, OPENAI_API_KEY: "sk-secret" }, args: index });
  const d = await call(down, "PUT", "/store/items", { namespace: ["d"], key: "k", value: { a: "x" } });
  equal([d.status, d.text.includes("sk-secret")], [503, false], "nobody there, after its tries");
  await down.stop();
  await server.stop();
  const start = (args) => startServer({ mock, dir, args }).then((s) => s.stop().then(() => "started"), (e) => String(e));
  check(/store has vectors of openai:mock-embed with 64 dims/.test(await start(["--store-index-embed", "openai:other", "--store-index-dims", "64"])), "another model is refused");
  equal(await start(["--store-index-embed", "openai:other", "--store-index-dims", "64", "--store-index-reset"]), "started", "unless the vectors may go");
  for (const [args, word] of [[["--store-index-embed", "openai:x"], "store.index.dims"], [["--store-index-dims", "5"], "store.index.embed"],
    [[...index, "--store-index-fields", "a..b"], "store.index.fields"], [["--store-index-embed", "anthropic:x", "--store-index-dims", "5"], "OpenAI"]])
    check((await start(args)).includes(word), `refused by name: ${word}`);
});

finish();
