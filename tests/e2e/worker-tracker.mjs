// worker-tracker.mjs - the tracker's client of clients/js against a real daemon.
import path from "node:path";
import { pathToFileURL } from "node:url";
import { check, equal, finish, repo, scenario, scratch, until } from "./lib.mjs";
import { workspace } from "./work-lib.mjs";

const { connect, WorkError } = await import(pathToFileURL(path.join(repo, "clients", "js", "src", "work.js")).href);
const failure = (promise) => promise.then(() => undefined, (e) => e);

const ws = workspace({ mode: "daemon", prefix: "w" });
ws.run(["daemon"]);
ws.ok(["list"]);
const work = await connect({ dir: ws.dir, actor: "ann" });

await scenario("calls", async () => {
  const item = await work.call("create", { title: "one" });
  check(/^w-/.test(item.id), "a created item", item);
  const [shown] = [await work.call("show", { id: item.id })].flat();
  equal([shown.title, shown.status], ["one", "open"], "is shown");
  const many = await Promise.all(Array.from({ length: 200 }, (_, i) => work.call("create", { title: `t${i}` })));
  equal(new Set(many.map((m) => m.id)).size, 200, "200 at once on one connection, each with its own answer");
  const e = await failure(work.call("show", { id: "w-none" }));
  check(e instanceof WorkError && /not found/.test(e.message) && typeof e.code === "string", "a refusal has words and a code", e);
});

await scenario("batches", async () => {
  const { results } = await work.batch([{ operation: "create", args: { title: "a" } }, ["create", { title: "b" }]]);
  equal(results.map((r) => [r.success, r.data.title]), [[true, "a"], [true, "b"]], "results in order");
  const before = (await work.call("list", { limit: 1000 })).length;
  const e = await failure(work.batch([["create", { title: "never" }], ["show", { id: "w-none" }]]));
  equal([e instanceof WorkError, (await work.call("list", { limit: 1000 })).length], [true, before], "all or nothing");
});

await scenario("time and ends", async () => {
  work.set_timeout(5000);
  await work.call("ping");
  equal((await failure(Promise.resolve().then(() => work.set_timeout(-1))))?.name, "TypeError", "a time that is none");
  const none = await failure(connect({ dir: scratch() }));
  check(/no workspace at/.test(none?.message), "a folder without a workspace", none);
  const away = await failure(connect({ socket: path.join(scratch(), "no.sock") }));
  check(/no daemon listens at .*cohort work daemon/.test(away?.message), "a daemon that is not there", away);
  ws.stop();
  const closed = await until(async () => { const e = await failure(work.call("ping")); return e && e; }, "the connection to end");
  check(closed instanceof WorkError && ["CLOSED", "EPIPE", "ECONNRESET"].includes(closed.code), "a daemon that has ended", closed);
});

work.close();
finish();
