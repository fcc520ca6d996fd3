// store-kill.mjs - store items are put, put again and deleted by many at once; the server
// is killed in the middle and started again.  Then every put that was acknowledged is
// found by its key, by its words, or with an embedding model by its vector; none is found
// twice, and none that was deleted: `node store-kill.mjs [KILLS] [SEED]`.
import { call, equal, finish, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";

const kills = Number(process.argv[2] ?? 5);
let seed = Number(process.argv[3] ?? 11);
const dice = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 8) % n; };
const mock = await startMock(["--delay-ms", "1", "--stream-delay-ms", "0", "--dims", "32"]);
const letters = "bcdfghklmnprstvz";
const word = (n) => "w" + [...n.toString(16).padStart(6, "0")].map((c) => letters[parseInt(c, 16)]).join("");

async function storms(name, args) {
  const dir = scratch();
  // key -> number of the last put that was acknowledged, null when deleted; `open`: keys
  // with a change of which nothing is known.
  const known = new Map(), open = new Set();
  let made = 0, server = await startServer({ mock, dir, args });
  const place = (key) => ({ namespace: ["n", `u${key % 7}`], key: `k${key}` });
  const value = (n) => ({ text: `${word(n)} and ${word(n + 0x800000)}` });

  async function change() {
    const key = dice(60), n = ++made;
    if (open.has(key)) return;
    const gone = known.get(key) != null && dice(5) === 0;
    open.add(key);
    const r = gone ? await call(server, "DELETE", "/store/items", place(key)) :
      await call(server, "PUT", "/store/items", { ...place(key), value: value(n), index: ["text"] });
    if (r.status === 204) { known.set(key, gone ? null : n); open.delete(key); }
  }

  async function storm() {
    const one = async () => { for (;;) { try { await change(); await new Promise(setImmediate); } catch { if (server.exit) return; } } };
    const all = Array.from({ length: 16 }, one), goal = made + 100 + dice(300);
    await until(() => made >= goal, "changes");
    await server.stop("SIGKILL");
    await Promise.all(all);
  }

  async function truth() {
    for (let key = 0; key < 60; key++) {
      const p = place(key), item = (await call(server, "GET", `/store/items?namespace=${p.namespace.join(".")}&key=${p.key}`)).json;
      const n = known.get(key) ?? null;
      if (!open.has(key)) equal(item?.value ?? null, n === null ? null : value(n), `${p.key}: what was acknowledged`);
      const said = item?.value.text ?? (n === null ? null : value(n).text);
      if (said === null) continue;
      const found = (await call(server, "POST", "/store/items/search", { namespace_prefix: ["n"], query: said, limit: 100 })).json.items;
      equal(found.filter((i) => i.key === p.key).length, item === null ? 0 : 1, `${p.key}: found once, or not at all`);
      if (item !== null) equal([found[0].key, found[0].value.text], [p.key, said], `${p.key}: the best of its own text`);
    }
    const all = (await call(server, "POST", "/store/items/search", { namespace_prefix: ["n"], limit: 1000 })).json.items;
    equal(new Set(all.map((i) => i.key)).size, all.length, "none twice");
    const names = (await call(server, "POST", "/store/namespaces", { prefix: ["n"] })).json.namespaces.map((n) => n.join("."));
    equal(names, [...new Set(all.map((i) => i.namespace.join(".")))].sort(), "namespaces");
    // What nobody was told of is settled now: it is put again.
    for (const key of open) {
      const n = ++made;
      equal((await call(server, "PUT", "/store/items", { ...place(key), value: value(n), index: ["text"] })).status, 204, "put again");
      known.set(key, n);
    }
    open.clear();
  }

  for (let k = 0; k < kills; k++)
    await scenario(`${name}, kill ${k}`, async () => {
      await storm();
      server = await startServer({ mock, dir, args });
      await truth();
    });
  await server.stop();
}

await storms("by words", []);
await storms("by vectors", ["--store-index-embed", "openai:mock-embed", "--store-index-dims", "32"]);
await mock.stop?.();
finish();
