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
  const r = await call(s, "POST", "/store/items/search", { namespace_prefix: [], query: "nowhere" });
  equal([r.status, r.json, r.headers.get("x-search-truncated")], [200, { items: [], truncated: true }, "1"], "cut");
  check(/x-search-truncated/.test(r.headers.get("access-control-expose-headers") ?? ""), "and browsers may read it");
  const whole = await call(s, "POST", "/store/items/search", { namespace_prefix: [], limit: 2 });
  equal([whole.json.items.length, whole.json.truncated], [2, undefined], "what is found at once is whole");
  await s.stop();
});

finish();
