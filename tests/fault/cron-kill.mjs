// cron-kill.mjs [ROUNDS] - kill -9 around the moment when crons fire, again and again:
// each firing has one run, none is lost and none is there twice.  Default: 50 rounds.
//
// A round starts the server some hundred milliseconds before an hour (--test-clock-ms)
// and kills it at a random time around it; rounds are an hour apart.  Then a last server
// runs until nothing is due.  Half of the crons have a thread, where each run leaves an
// entry in a list; the others make new threads, which are counted.
import { agentFolder, json } from "../e2e/core-lib.mjs";
import { check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const rounds = Number(process.argv[2] ?? 50), hour = 3600000, crons = 40;
const agents = agentFolder(["crons", "sleep"]), dir = scratch();
const first = Date.parse("2027-06-01T00:00:00Z");

const open = (at) => startServer({ dir, args: ["--agents", agents, "--shards", "2", "--test-hooks", "--test-clock-ms", String(Math.round(at - Date.now())), "--test-fsync-delay-ms", String(Math.floor(Math.random() * 20))] });
const cron = (s, id) => json(s, "GET", `/runs/crons/${id}`);

async function threadsOf(s, id) {
  const all = [];
  for (;;) {
    const page = await json(s, "POST", "/threads/search", { metadata: { cron_id: id }, limit: 1000, offset: all.length, select: ["thread_id"] });
    all.push(...page.map((t) => t.thread_id));
    if (page.length < 1000) return all;
  }
}

await scenario(`${rounds} kills`, async () => {
  let s = await open(first - hour / 2);
  const made = [];
  for (let i = 0; i < crons; i++) {
    const body = { schedule: "0 * * * *", assistant_id: "note", input: { who: String(i) }, on_run_completed: "keep" };
    if (i % 2 === 0) {
      const thread = (await json(s, "POST", "/threads", {})).thread_id;
      made.push({ ...await json(s, "POST", `/threads/${thread}/runs/crons`, body), thread });
    } else {
      made.push(await json(s, "POST", "/runs/crons", body));
    }
  }
  await s.stop("SIGKILL");

  // Each hour at most one kill; what was not fired before it is after the start that follows.
  let during = 0;
  for (let i = 0; i < rounds; i++) {
    s = await open(first + i * hour - 300);
    const wait = Math.random() * 900, from = Date.now();
    await until(() => Date.now() - from >= wait, "the moment", 5000);
    const after = await Promise.race([cron(s, made[0].cron_id), new Promise((r) => setTimeout(r, 100))]);
    if (after !== undefined && Date.parse(after.next_run_date) > first + i * hour) during++;
    await s.stop("SIGKILL");
    // before the next hour: what this one's kill has left is made up for
    if (i % 5 === 4) {
      s = await open(first + i * hour + hour / 2);
      await caught(s, made, first + (i + 1) * hour);
      await s.stop("SIGKILL");
    }
  }
  s = await open(first + (rounds - 1) * hour + hour / 2);
  await caught(s, made, first + rounds * hour);
  check(during > 0 && during < rounds, "some kills came before the firing and some after it", during);

  // A firing's hour is that of its run; what was missed for several hours fired once.
  let runs = 0;
  for (const c of made) {
    const hours = [];
    for (const t of c.thread ? [c.thread] : await threadsOf(s, c.cron_id))
      for (const r of await json(s, "GET", `/threads/${t}/runs?limit=1000`)) {
        if (r.metadata.cron_id !== c.cron_id) continue;
        hours.push(Math.floor(Date.parse(r.created_at) / hour));
        runs++;
        if (!["success"].includes(r.status)) check(false, `run ${r.run_id} of ${c.cron_id}`, r.status);
      }
    equal(new Set(hours).size, hours.length, `cron ${made.indexOf(c)}: no firing twice`);
    c.hours = hours.sort((a, b) => a - b);
    if (c.thread) {
      const log = (await json(s, "GET", `/threads/${c.thread}/state`)).values.log;
      equal(log.length, hours.length, `cron ${made.indexOf(c)}: each run did its work once`);
    }
  }
  // Nothing is lost: between two firings that there were, no server lived that should
  // have fired: every fifth hour was caught up with.
  for (const c of made)
    for (let i = 4; i < rounds; i += 5) {
      const h = Math.floor((first + i * hour) / hour);
      check(c.hours.includes(h), `cron ${made.indexOf(c)}: hour ${i} fired`, c.hours.map((x) => x - first / hour));
    }
  console.log(`${rounds} kills, ${during} of them after the firing; ${crons} crons, ${runs} runs`);
  await s.stop();
});

// All crons have fired and their runs have ended.
async function caught(s, made, next) {
  for (const c of made)
    await until(async () => Date.parse((await cron(s, c.cron_id)).next_run_date) === next, `cron ${c.cron_id} to go on`, 30000);
  await until(async () => {
    const text = await (await fetch(`${s.url}/metrics`)).text();
    return ["cohort_runs_live", "cohort_runs_pending"].every((n) => new RegExp(`^${n} 0$`, "m").test(text));
  }, "all runs to end", 30000);
}

finish();
