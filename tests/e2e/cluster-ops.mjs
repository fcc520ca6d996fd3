// cluster-ops.mjs - a cluster for those who run it: who is there, what a node tells of itself, the tracker
// beside PostgreSQL, nodes that are restarted one after the other under load, passwords in no output.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client } from "sdk-2.0";
import { freshSchema, sharedNats, startCluster } from "../cluster/lib.mjs";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const run = (args, env = {}) => new Promise((resolve) => execFile(binary, args, { env: { PATH: process.env.PATH, HOME: "/", ...env }, timeout: 30000, cwd: scratch() }, (e, stdout, stderr) => resolve({ code: e ? e.code : 0, stdout, stderr })));

const mock = await startMock(["--delay-ms", "1000"]);
const store = freshSchema(), dir = scratch();
const cluster = await startCluster({ nodes: 3, dir, mock, store, nats: sharedNats(), lease: 2000 });
const any = (i) => cluster.nodes[i % 3];

await scenario("status", async () => {
  const all = (await call(any(0), "GET", "/cluster")).json;
  equal([all.alone, all.store, all.lease_ms, all.nodes.length], [false, "postgres", 2000, 3], "GET /cluster");
  equal(all.nodes.filter((n) => n.here).map((n) => n.name), ["n0"], "the node that answers is marked");
  equal(all.nodes.map((n) => n.state), ["live", "live", "live"], "all live");
  check(all.nodes.every((n) => n.lease_left_ms > 0 && n.lease_left_ms <= 2000), "leases", all.nodes);
  check(all.nodes.every((n) => n.info.version && n.info.pid > 0), "each tells its version");
  for (const i of [0, 1]) await until(async () => (await call(any(i), "GET", "/cluster")).json.bus.lag_ms !== null, "NATS to be up");
  const byServer = await run(["cluster", "status", "--url", any(1).url]);
  check(/^\* +\d+ +n1 +live/m.test(byServer.stdout) && /nats: up at \S+, lag \d+\.\d ms/.test(byServer.stdout), "cluster status", byServer);
  equal(JSON.parse((await run(["cluster", "status", "--json", "--url", any(1).url])).stdout).nodes.length, 3, "--json");
  const byStore = await run(["cluster", "status", "--store", store]);
  check(/^ +\d+ +n2 +live/m.test(byStore.stdout) && !/nats/.test(byStore.stdout), "cluster status --store", byStore);
  const none = await run(["cluster", "status", "--store", "sqlite"]);
  check(none.code === 1 && /expected a PostgreSQL/.test(none.stderr), "--store sqlite is refused", none);
  // A node hears of others when it looks, each quarter of a lease.
  await until(async () => {
    const metrics = await (await fetch(any(2).url + "/metrics")).text();
    return /^cohort_cluster_nodes 2$/m.test(metrics) && /^cohort_bus_up 1$/m.test(metrics) && /^cohort_cluster_beats_total [1-9]/m.test(metrics);
  }, "the metrics of a node");
  await until(async () => (await call(any(0), "GET", "/info")).json.cluster.nodes === 3, "GET /info to tell of three");
  equal((await call(any(0), "GET", "/info")).json.metadata.store, "postgres", "GET /info");
});

await scenario("the address of a node that listens on all", async () => {
  for (const host of ["0.0.0.0", "::"]) {
    const s = await startServer({ args: ["--store", freshSchema(), "--host", host, "--insecure"], memory: true });
    equal((await call(s, "GET", "/cluster")).json.nodes.map((n) => n.address), [`${os.hostname()}:${s.port}`], `${host}: the machine's name`);
    await s.stop();
  }
});

await scenario("who may ask", async () => {
  const env = { COHORT_JWT_SECRET: "a-secret-of-thirty-two-bytes-or-so" };
  const keys = path.join(scratch(), "keys");
  const [key, line] = (await run(["token", "--api-key", "--sub", "ops", "--limits", "scopes=admin"])).stdout.trim().split("\n");
  writeFileSync(keys, line + "\n", { mode: 0o600 });
  const server = await startServer({ memory: true, env, args: ["--api-keys", keys] });
  const user = (await run(["token", "--sub", "ann"], env)).stdout.trim();
  equal((await call(server, "GET", "/cluster")).status, 401, "without credentials");
  equal((await call(server, "GET", "/cluster", undefined, { authorization: `Bearer ${user}` })).status, 403, "a user");
  const admin = await call(server, "GET", "/cluster", undefined, { "x-api-key": key });
  equal([admin.status, admin.json?.alone], [200, true], "an operator; one node is alone");
  await server.stop();
});

await scenario("the tracker is a guest of each node", async () => {
  const made = await call(any(0), "POST", "/work/items", { title: "of node 0" });
  equal(made.status, 200, "an item is made", made);
  const list = (await call(any(0), "GET", "/work/items")).text;
  check(list.includes("of node 0"), "and is there", list);
  check(!(await call(any(1), "GET", "/work/items")).text.includes("of node 0"), "another node has its own");
});

await scenario("a stream outlives the node that it came from", async () => {
  const client = new Client({ apiUrl: cluster.url, callerOptions: { maxRetries: 0 } });
  const { thread_id: thread } = await client.threads.create(), seen = [];
  let stopped;
  const stop = async () => {
    const has = (await call(cluster, "GET", "/cluster")).json.nodes.filter((n) => n.threads > 0).map((n) => n.name);
    equal(has.length, 1, "one node has the thread");
    const i = Number(has[0].slice(1));
    cluster.left.add(i);
    await cluster.nodes[i].stop("SIGTERM");
    return i;
  };
  for await (const c of client.runs.stream(thread, "agent", { input: { messages: [{ role: "user", content: "hello mock:stallx1" }] },
    streamMode: ["messages-tuple", "updates"], streamResumable: true })) {
    seen.push(c);
    if (seen.filter((x) => x.event === "messages").length === 5) stopped ??= stop();
  }
  await cluster.startNode(await stopped);
  const ids = seen.filter((c) => /^(metadata|messages|updates)$/.test(c.event)).map((c) => Number(c.id));
  check(ids.length > 10 && ids.every((id, k) => k === 0 || id > ids[k - 1]), "ids rise, none comes twice", ids);
  equal([seen.at(-1).event, seen.at(-1).data.status], ["end", "success"], "the end is the run's");
  // On a machine that is busy with other tests a node may lose its lease: then it moves once more.
  const attempts = seen.filter((c) => c.event === "metadata").map((c) => c.data.attempt);
  check(attempts.length >= 2 && attempts.every((n, i) => n === i + 1), "each attempt was seen, once", attempts);
  const last = seen.slice(seen.findLastIndex((c) => c.event === "metadata")).filter((c) => c.event === "messages").map((c) => c.data[0].content).join("");
  equal(last, (await call(cluster, "GET", `/threads/${thread}/state`)).json.values.messages.at(-1).content, "nothing of the answer is lost");
});

await scenario("rolling restart under load", async () => {
  const made = [];
  let going = true, refused = 0;
  const takenBy = async (...nodes) => {
    const texts = await Promise.all(nodes.map(async (k) => (await fetch(any(k).url + "/metrics")).text()));
    return texts.reduce((sum, t) => sum + Number(t.match(/^cohort_cluster_taken_threads_total (\d+)/m)[1]), 0);
  };
  const body = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hello" }] } };
  // A client of the proxy: what it is told is made must end well.
  const client = async () => {
    while (going) {
      try {
        const thread = await call(cluster, "POST", "/threads", {});
        const r = thread.status === 200 ? await call(cluster, "POST", `/threads/${thread.json.thread_id}/runs`, body) : thread;
        if (r.status === 200) made.push([thread.json.thread_id, r.json.run_id]);
        else refused++;
      } catch { refused++; }
      await new Promise((r) => setTimeout(r, 25));
    }
  };
  const clients = [client(), client()];
  for (let i = 0; i < 3; i++) {
    const before = made.length;
    await until(() => made.length > before + 20, "runs to be made");
    const takenBefore = await takenBy(i + 1, i + 2);
    cluster.left.add(i);
    const began = performance.now();
    const exit = await cluster.nodes[i].stop("SIGTERM");
    equal(exit, { code: 0, signal: null }, `node ${i} ends by itself`);
    await until(async () => (await takenBy(i + 1, i + 2)) > takenBefore, `others to take the threads of node ${i}`);
    check(performance.now() - began < 15000, `node ${i} ends within 15 s`, `${Math.round(performance.now() - began)} ms`);
    await cluster.startNode(i);
    await until(async () => (await call(cluster, "GET", "/cluster")).json.nodes.filter((n) => n.state === "live").length === 3, "three nodes to live");
  }
  going = false;
  await Promise.all(clients);
  const bad = [];
  for (const [thread, id] of made) {
    const end = await until(async () => {
      const r = await call(cluster, "GET", `/threads/${thread}/runs/${id}`);
      return r.status === 200 && !["pending", "running"].includes(r.json.status) ? r.json : undefined;
    }, `run ${id} to end`, 30000).catch((e) => ({ status: e.message }));
    if (end.status !== "success") bad.push([id, end.status]);
  }
  equal(bad, [], "every run that was acknowledged ended well");
  console.log(`rolling restart: ${made.length} runs, ${refused} requests refused`);
  check(made.length > 60 && refused < made.length / 4, "clients were served all the time", { made: made.length, refused });
  const log = cluster.nodes.map((n) => n.text()).join("");
  check(!/panic|Assertion|Sanitizer/.test(log), "no failure in the logs");
});

await scenario("a database that is not there, without its password", async () => {
  const r = await run(["serve", "--port", "0", "--cluster-wait", "3000", "--store", "postgres://ann:s3cret@127.0.0.1:1/x"]);
  check(r.code === 1 && !(r.stdout + r.stderr).includes("s3cret") && /PostgreSQL/.test(r.stderr), "the password is in no line", r);
});

await cluster.stop();
finish();
