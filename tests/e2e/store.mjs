// store.mjs - the long-term store: namespaces, filters, ttl, words.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, memory: true });
const post = (target, body, headers) => call(server, "POST", target, body, headers);
const put = (namespace, key, value, more = {}) => call(server, "PUT", "/store/items", { namespace, key, value, ...more });
const keys = async (body) => {
  const r = await post("/store/items/search", body);
  return r.status === 200 ? r.json.items.map((i) => i.key) : r;
};
const found = async (body) => {
  const r = await post("/store/namespaces", body);
  return r.status === 200 ? r.json.namespaces.map((n) => n.join("/")) : r;
};
const get = async (namespace, key, query = "") => (await call(server, "GET", `/store/items?namespace=${namespace}&key=${key}${query}`)).json;

const sdks = await Promise.all(["sdk-1.9", "sdk-1.15", "sdk-2.0"].map(async (d) => [d, (await import(d)).Client]));

// covers: client.store.putItem client.store.getItem client.store.deleteItem client.store.searchItems client.store.listNamespaces
for (const [name, Client] of sdks) {
  await scenario(`${name}: every method of client.store`, async () => {
    const client = new Client({ apiUrl: server.url, apiKey: null }), ns = ["sdk", name.replace(/[^a-z0-9]/g, "-")];
    await client.store.putItem(ns, "a", { text: "the first", n: 1 });
    await client.store.putItem(ns, "b", { text: "the second", n: 2 }, { ttl: 5, index: ["text"] });
    await client.store.putItem([...ns, "deep", "er"], "c", { n: 3 }, { index: false });
    const a = await client.store.getItem(ns, "a");
    equal([a.namespace, a.key, a.value], [ns, "a", { text: "the first", n: 1 }], `${name}: getItem`);
    check(typeof (a.createdAt ?? a.created_at) === "string" && typeof (a.updatedAt ?? a.updated_at) === "string", `${name}: times`, a);
    equal((await client.store.getItem(ns, "b", { refreshTtl: true })).key, "b", `${name}: getItem refreshTtl`);
    equal(await client.store.getItem(ns, "none"), null, `${name}: none is null`);
    const s = await client.store.searchItems(ns, { filter: { n: { $gte: 2 } }, limit: 5, offset: 0, refreshTtl: false });
    equal(s.items.map((i) => i.key), ["c", "b"], `${name}: searchItems`);
    const q = await client.store.searchItems(ns, { query: "second" });
    equal([q.items.map((i) => i.key), q.items[0].score > 0], [["b"], true], `${name}: searchItems by words`);
    const n = await client.store.listNamespaces({ prefix: ns, maxDepth: 3, limit: 10, offset: 0 });
    equal(n.namespaces, [ns, [...ns, "deep"]], `${name}: listNamespaces`);
    equal((await client.store.listNamespaces({ prefix: ["sdk"], suffix: ["er"] })).namespaces.filter((x) => x[1] === ns[1]), [[...ns, "deep", "er"]], `${name}: suffix`);
    await client.store.deleteItem(ns, "a");
    equal(await client.store.getItem(ns, "a"), null, `${name}: deleteItem`);
  });
}

// As sdk-py writes them: every field, those not given as null; deletes with a JSON body.
await scenario("what the Python SDK sends", async () => {
  equal((await call(server, "PUT", "/store/items", { namespace: ["py"], key: "k", value: { a: 1 }, index: null, ttl: null })).status, 204, "put_item");
  equal((await call(server, "GET", "/store/items?namespace=py&key=k&refresh_ttl=true")).json.value, { a: 1 }, "get_item");
  equal(await keys({ namespace_prefix: ["py"], filter: null, limit: 10, offset: 0, query: null, refresh_ttl: null }), ["k"], "search_items");
  equal(await found({ prefix: ["py"], suffix: null, max_depth: null, limit: 100, offset: 0 }), ["py"], "list_namespaces");
  equal((await call(server, "DELETE", "/store/items", { namespace: ["py"], key: "k" })).status, 204, "delete_item");
  equal(await get("py", "k"), null, "deleted");
});

await scenario("the longest namespace and key, of bytes that cannot be packed", async () => {
  const labels = Array.from({ length: 4 }, () => randomBytes(384).toString("base64url").slice(0, 511)), key = randomBytes(384).toString("base64url");
  equal((await put(labels, key, { n: 1 })).status, 204, "2,047 bytes and 512 of a key");
  equal(await keys({ namespace_prefix: labels }), [key], "found");
  const r = await put([...labels, "x"], key, { n: 1 });
  equal([r.status, r.text.includes("namespace: its labels")], [422, true], "over: the field is named");
});

await scenario("namespaces: distinct, cut, in the order of their labels", async () => {
  for (const ns of ["n/users/1", "n/users/2", "n/users", "n/users-x", "n/docs/a/b", "n/docs/a/c", "n/zoo/1/prefs", "n/zoo/2/prefs", "n/zoo/2/other"])
    await put(ns.split("/"), "k", {});
  await put(["n", "users"], "k2", {});
  equal(await found({ prefix: ["n"] }), ["n/docs/a/b", "n/docs/a/c", "n/users", "n/users/1", "n/users/2", "n/users-x", "n/zoo/1/prefs", "n/zoo/2/other", "n/zoo/2/prefs"], "all, each once");
  equal(await found({ prefix: ["n"], max_depth: 2 }), ["n/docs", "n/users", "n/users-x", "n/zoo"], "cut, each once");
  equal(await found({ prefix: ["n"], max_depth: 2, limit: 2, offset: 1 }), ["n/users", "n/users-x"], "a page of them");
  equal(await found({ prefix: ["n", "users"] }), ["n/users", "n/users/1", "n/users/2"], "whole labels only");
  equal(await found({ prefix: ["n", "*", "2"] }), ["n/users/2", "n/zoo/2/other", "n/zoo/2/prefs"], "a wildcard in the prefix");
  equal(await found({ prefix: ["n"], suffix: ["prefs"] }), ["n/zoo/1/prefs", "n/zoo/2/prefs"], "suffix");
  equal(await found({ suffix: ["zoo", "*", "prefs"], max_depth: 2 }), ["n/zoo"], "a wildcard in the suffix, cut");
  equal(await found({ prefix: ["n", "zoo"], suffix: ["zoo", "2", "other"] }), ["n/zoo/2/other"], "they may overlap");
  equal(await found({ prefix: ["n", "u%"] }), [], "% is a literal");
  equal(await found({ prefix: ["n", "user_"] }), [], "_ is a literal");
  await call(server, "DELETE", "/store/items", { namespace: ["n", "users-x"], key: "k" });
  await call(server, "DELETE", "/store/items", { namespace: ["n", "users"], key: "k" });
  equal(await found({ prefix: ["n"], max_depth: 2 }), ["n/docs", "n/users", "n/zoo"], "gone with its last item");
  equal((await post("/store/namespaces")).status, 200, "no body is no condition");
});

await scenario("filters", async () => {
  const f = ["f"];
  await put(f, "a", { n: 1, s: "apple", o: { x: { y: 1 }, z: 2 }, l: [1, 2], b: true, none: null });
  await put(f, "b", { n: 2.5, s: "banana", o: { x: { y: 5 } }, l: [1, { k: "v", more: 1 }], b: false });
  await put(f, "c", { n: "10", s: "cherry" });
  const by = (filter) => keys({ namespace_prefix: f, filter });
  const rows = [
    [{ n: 1 }, "a"], [{ n: 1.0 }, "a"], [{ n: "1" }, ""], [{ n: { $eq: 2.5 } }, "b"], [{ n: { $ne: 1 } }, "cb"], [{ n: { $gt: 1 } }, "b"], [{ n: { $gte: 1 } }, "ba"],
    [{ n: { $lt: 2.5 } }, "a"], [{ n: { $lte: 2.5 } }, "ba"], [{ n: { $gte: 1, $lt: 2 } }, "a"], [{ s: { $gt: "apple" } }, "cb"], [{ s: { $lte: "banana" } }, "ba"],
    [{ o: { x: { y: 1 } } }, "a"], [{ o: { x: { y: { $gt: 1 } } } }, "b"], [{ o: {} }, "ba"], [{ o: { $eq: { x: { y: 5 } } } }, "b"], [{ o: { $eq: { x: { y: 1 } } } }, ""],
    [{ "o.x": { y: 1 } }, ""], [{ l: [1, 2] }, "a"], [{ l: [1, { k: "v" }] }, "b"], [{ l: [2, 1] }, ""], [{ l: [1] }, ""], [{ b: true }, "a"], [{ b: 1 }, ""],
    [{ none: null }, "a"], [{ missing: { $ne: 1 } }, "cba"], [{ missing: { $lt: 1 } }, ""], [{ n: { $gt: 0 }, s: "apple" }, "a"], [{}, "cba"],
  ];
  for (const [filter, want] of rows) equal((await by(filter)).join(""), want, `filter ${JSON.stringify(filter)}`);
  equal(await keys({ namespace_prefix: f, filter: { s: { $gt: "a" } }, limit: 1, offset: 1 }), ["b"], "with a page");
});

await scenario("words: ranked, whole, in any language, exact after changes", async () => {
  const w = ["w"];
  await put(w, "tea", { title: "Green tea", text: "A cup of tea, tea and tea again", tags: ["drink"] });
  await put(w, "mix", { title: "Drinks", text: "coffee, cocoa and sometimes a tea among so very many other words that it hardly counts at all" });
  await put(w, "uni", { text: "Żółć straße ÉCOLE 東京 42" });
  await put(w, "off", { text: "tea unseen" }, { index: false });
  await put(w, "part", { title: "hidden tea", text: "shown milk", list: [{ t: "one oat" }, { t: "two rye" }] }, { index: ["text", "list[*].t", "list[-1]"] });
  const by = (query, more = {}) => keys({ namespace_prefix: w, query, ...more });
  equal(await by("tea"), ["tea", "mix"], "the better one first, index: false and other paths not");
  equal(await by("TEA cup"), ["tea"], "all words, in any case");
  equal(await by("tea coffee nothing"), [], "all of them");
  equal(await by("ecole"), ["uni"], "without accents");
  equal(await by("STRASSE"), [], "folding is not spelling");
  equal(await by("42"), ["uni"], "numbers are words");
  equal(await by("coff*"), ["mix"], "the beginning of one");
  equal(await by("coff"), [], "but only where it says so");
  equal(await by("milk"), ["part"], "a path");
  equal(await by("oat rye"), ["part"], "elements of a list");
  equal(await by("hidden"), [], "not beside the paths");
  equal(await by("\"tea\" AND OR NOT NEAR( ^* : -"), [], "no syntax");
  equal(await by("tea ! — 🎉"), ["tea", "mix"], "marks are no words");
  equal(await by("!!!"), [], "nothing but marks finds nothing");
  equal((await by("   ")).length, 5, "blanks are no query");
  equal(await by("tea", { filter: { title: "Drinks" } }), ["mix"], "with a filter");
  equal(await keys({ namespace_prefix: ["elsewhere"], query: "tea" }), [], "under a prefix");
  equal([await by("tea", { limit: 1 }), await by("tea", { limit: 1, offset: 1 })], [["tea"], ["mix"]], "pages");
  await put(w, "tea", { text: "now water" });
  equal([await by("tea"), await by("water"), await by("cup")], [["mix"], ["tea"], []], "a put replaces its words");
  await call(server, "DELETE", "/store/items", { namespace: w, key: "mix" });
  equal(await by("tea"), [], "and a delete takes them");
  await put(w, "long", { text: "x ".repeat(200000) + "needle" });
  equal(await by("needle"), [], "of a very long text, the first 256 KB");
});

await scenario("ttl: invisible at once, refreshed by reads, swept", async () => {
  const s = await startServer({ mock, args: ["--store-ttl-sweep-interval-minutes", "0.001", "--store-ttl-default-ttl", "0.02"] });
  const at = (method, target, body) => call(s, method, target, body);
  const item = async (key, q = "") => (await at("GET", `/store/items?namespace=t&key=${key}${q}`)).json;
  await at("PUT", "/store/items", { namespace: ["t"], key: "short", value: { w: "mortal" }, ttl: 0.002 });
  await at("PUT", "/store/items", { namespace: ["t"], key: "default", value: {} });
  await at("PUT", "/store/items", { namespace: ["t"], key: "long", value: {}, ttl: 60 });
  check(await item("long") !== null && await item("default") !== null, "there at first");
  await until(async () => await item("short", "&refresh_ttl=false") === null, "its end");
  equal((await at("POST", "/store/items/search", { namespace_prefix: ["t"], query: "mortal" })).json.items, [], "no words find it");
  const t0 = Date.now();
  await until(async () => { check(await item("default") !== null, "reads keep it alive"); return Date.now() - t0 > 2500; }, "two lives");
  await until(async () => await item("default", "&refresh_ttl=false") === null, "without them it ends");
  equal((await at("POST", "/store/namespaces", {})).json.namespaces, [["t"]], "the namespace of the third");
  await until(() => /swept what=items/.test(s.log), "the sweep");
  await s.stop();
});

await scenario("agents read and filter as clients do", async () => {
  const home = scratch(), agent = (text) => `id: reader\nstate: {out: {}}\nnodes:\n  a:\n    do:\n${text}\nedges: [[START, a]]\n`;
  const write = (name, text) => writeFileSync(path.join(home, "agents", name), text);
  mkdirSync(path.join(home, "agents"));
  write("reader.yaml", agent("      - {store: {get: {namespace: [t], key: got}}}\n      - {store: {search: {namespace: [t], filter: {n: {$gt: 1}}}}, as: list}\n      - set: {out: list}"));
  const s = await startServer({ mock, dir: home, args: ["--agents", path.join(home, "agents"), "--store-ttl-default-ttl", "0.02"] });
  const item = async (key) => (await call(s, "GET", `/store/items?namespace=t&key=${key}&refresh_ttl=false`)).json;
  for (const [key, n] of [["got", 0], ["found", 2], ["left", 1]])
    equal((await call(s, "PUT", "/store/items", { namespace: ["t"], key, value: { n } })).status, 204, key);
  await until(async () => {
    const r = await call(s, "POST", "/runs/wait", { assistant_id: "reader", input: {} });
    equal(r.json.out?.map((i) => i.key) ?? r.text, ["found"], "operators of a filter");
    return await item("left") === null;
  }, "the end of the one that nobody reads");
  check(await item("got") !== null && await item("found") !== null, "reads of agents keep items alive");
  await s.stop();
  // The same without a server.
  const put = (key, n) => `      - {store: {put: {namespace: [t], key: ${key}, value: {n: ${n}, deep: {x: 1}}}}}\n`;
  const alone = (filter) => {
    writeFileSync(path.join(home, "alone.yaml"), agent(`${put("a", 3)}${put("b", 1)}${put("c", 2)}${put("a", 5)}      - {store: {search: {namespace: [t], filter: ${filter}}}, as: list}\n      - set: {out: "list.map(i => i.key)"}`));
    try { return execFileSync(binary, ["agent", "run", path.join(home, "alone.yaml"), "--input", "{}"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }); } catch (e) { return e.stdout + e.stderr; }
  };
  check(/\["a", ?"c"\]/.test(alone("{n: {$gte: 2}}").replace(/\s+/g, "")), "agent run: operators, the newest change first", alone("{n: {$gte: 2}}"));
  check(/\["a","c","b"\]/.test(alone("{deep: {x: 1}}").replace(/\s+/g, "")), "agent run: members of members", alone("{deep: {x: 1}}"));
  check(/\$near/.test(alone("{n: {$near: 2}}")), "agent run: an operator that there is not", alone("{n: {$near: 2}}"));
});

await scenario("ttl: a search refreshes too, unless told not to", async () => {
  const ns = ["ttl", "search"];
  await put(ns, "k", {}, { ttl: 0.02 });
  const t0 = Date.now();
  await until(async () => { check((await keys({ namespace_prefix: ns })).length === 1, "searches keep it alive"); return Date.now() - t0 > 2500; }, "two lives");
  await until(async () => (await keys({ namespace_prefix: ns, refresh_ttl: false })).length === 0, "and others do not");
  equal(await found({ prefix: ns }), [], "its namespace is not listed, swept or not");
  await put(ns, "k", { again: 1 });
  const again = await get("ttl.search", "k");
  check(Date.parse(again.created_at) >= t0 + 2500, "put again, it is a new one", again);
});

await scenario("bad settings are refused by name", async () => {
  for (const [flag, value] of [["--store-ttl-default-ttl", "soon"], ["--store-ttl-default-ttl", "-1"], ["--store-ttl-sweep-interval-minutes", "0"]]) {
    const r = await startServer({ mock, memory: true, args: [flag, value] }).then((s) => s.stop().then(() => "started"), (e) => String(e));
    check(/store\.ttl\./.test(r) || r !== "started", `${flag} ${value}`, r);
  }
});

finish();
