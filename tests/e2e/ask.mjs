// ask.mjs [SHARDS...] - kinds of questions, whose they are, and those that nobody
// answers in time; default: with 1 and 4 shards.
import { randomBytes } from "node:crypto";
import { agentFolder } from "./core-lib.mjs";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const shardsList = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 4];
const day = 86400000, agents = agentFolder(["sleep"]);
const open = (dir, shards, clock = 0) =>
  startServer({ dir, args: ["--agents", agents, "--shards", String(shards), "--test-hooks", "--test-clock-ms", String(clock)] });
const state = async (s, t) => (await call(s, "GET", `/threads/${t}/state`)).json;
const statusOf = async (s, t) => (await call(s, "GET", `/threads/${t}`)).json.status;
const questions = async (s, t) => (await state(s, t)).tasks.flatMap((x) => x.interrupts);
const resume = (s, t, agent, value) => call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: agent, command: { resume: value } });

async function asks(s, agent, input) {
  const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  const r = await call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: agent, input });
  check(r.status === 200, `${agent} asks`, r.text);
  return t;
}

// type: the question as it is shown, wrong answers with the words they are refused by, right ones
const kinds = {
  text: [{ prompt: "Title?", type: "text", draft: "Untitled" }, [[7, "a string"], [null, null], [{}, "a string"]], ["", "A title"]],
  select: [{ prompt: "Size?", type: "select", options: ["small", "large"] }, [["huge", '["small","large"]'], [1, "one of"], [["small"], "one of"]], ["small"]],
  multi_select: [{ prompt: "Days?", type: "multi_select", options: ["mon", "tue", "wed"] }, [["mon", "a list"], [["mon", "sun"], "some of"], [["mon", "mon"], "once"]], [[], ["wed", "mon"]]],
  confirm: [{ prompt: "Sure?", type: "confirm", assignee: "team-confirm" }, [["yes", "true or false"], [0, "true or false"]], [false, true]],
  number: [{ prompt: "How many?", type: "number", min: 1, max: 10 }, [["3", "a number from 1 to 10"], [0, "from 1 to 10"], [10.5, "from 1 to 10"]], [1, 2.5, 10]],
  date: [{ prompt: "When?", type: "date" }, [["tomorrow", "a date"], ["2026-13-01", "a date"], [20261121, "a date"]], ["2026-11-21", "2026-11-21T09:30:00Z"]],
  form: [undefined, [["Ann", "an object"], [{ age: 3 }, "name"], [{ name: "Ann", age: "three" }, "age"]], [{ name: "Ann" }, { name: "Ann", age: 30, more: 1 }]],
};

for (const shards of shardsList) {
  const dir = scratch();

  await scenario(`${shards}: kinds`, async () => {
    const s = await open(dir, shards);
    for (const [type, [shown, wrong, right]] of Object.entries(kinds)) {
      for (const answer of right) {
        const t = await asks(s, "form", { type }), [q] = await questions(s, t);
        if (shown) equal(q.value, shown, `${type}: the question`);
        for (const [bad, words] of words2(wrong)) {
          for (const command of [bad, { [q.id]: bad }]) {
            const r = await resume(s, t, "form", command);
            check(r.status === 422 && r.json.detail.includes(words), `${type}: ${JSON.stringify(bad)} is refused by "${words}"`, r.text);
          }
        }
        equal((await questions(s, t)).map((x) => x.id), [q.id], `${type}: it waits still`);
        equal((await call(s, "GET", `/threads/${t}/runs`)).json.length, 1, `${type}: no run was made`);
        const r = await resume(s, t, "form", { [q.id]: answer });
        equal(r.json.answer, answer, `${type}: ${JSON.stringify(answer)}`);
      }
    }
    const t = await asks(s, "form", { type: "confirm" });
    const forged = await resume(s, t, "form", { __timeout__: true });
    check(forged.status === 422, "the server's own answer is refused from outside", forged.text);
    await s.stop();
  });

  await scenario(`${shards}: whose they are`, async () => {
    const s = await open(dir, shards);
    const t = await asks(s, "form", { type: "confirm" });
    await asks(s, "form", { type: "text" });
    const mine = (await call(s, "GET", "/interrupts?assignee=team-confirm")).json;
    check(mine.length >= 1 && mine.every((x) => x.value.assignee === "team-confirm"), "only this one's", mine);
    check(mine.some((x) => x.thread_id === t), "the new one among them");
    equal((await call(s, "GET", "/interrupts?assignee=nobody")).json, [], "nobody's");
    // Of bytes that cannot be packed: PostgreSQL has it in an index.
    const who = randomBytes(3000).toString("base64url"), u = await asks(s, "assigned", { who: who.slice(0, 512) });
    equal((await call(s, "GET", `/interrupts?assignee=${who.slice(0, 512)}`)).json.map((x) => x.thread_id), [u], "the longest name");
    const over = (await call(s, "POST", "/threads", {})).json.thread_id, r = await call(s, "POST", `/threads/${over}/runs/wait`, { assistant_id: "assigned", input: { who } });
    check(r.text.includes("ask.assignee: expected at most 512 bytes, got 4000"), "a longer one: the field is named", r.text);
    equal(await statusOf(s, over), "error", "and the run has failed");
    await s.stop();
  });

  await scenario(`${shards}: nobody answers in time`, async () => {
    let s = await open(dir, shards);
    const soon = await asks(s, "deadline", { limit: "1s" }), long = await asks(s, "deadline", { limit: "24h" });
    const graph = await asks(s, "late", { limit: "1s" }), answered = await asks(s, "deadline", { limit: "24h" });
    const [q] = (await questions(s, soon)).filter((x) => x.value.due);
    check(/^\d{4}-.*Z$/.test(q.value.due) && q.value.assignee === "ann", "it says until when", q);
    await until(async () => (await state(s, soon)).values.said === "late", "the timeout");
    await until(async () => await statusOf(s, soon) === "interrupted", "the thread to wait again");
    equal((await questions(s, soon)).map((x) => x.value.prompt), ["And?"], "the other question stays");
    const runs = (await call(s, "GET", `/threads/${soon}/runs`)).json;
    equal([runs.length, runs[0].metadata.created_by, runs[0].metadata.interrupt_id], [2, "timeout", q.id], "one run, which says why");
    const r = await resume(s, soon, "deadline", "done");
    equal([r.json.said, r.json.other, await statusOf(s, soon)], ["late", "done", "idle"], "and it ends");
    await until(async () => await statusOf(s, graph) === "error", "a graph's node to fail");
    check(JSON.stringify((await call(s, "GET", `/threads/${graph}`)).json.error).includes("TimeoutError"), "with TimeoutError");
    const [a] = (await questions(s, answered)).filter((x) => x.value.due);
    equal((await resume(s, answered, "deadline", { [a.id]: "yes" })).json.said, "yes", "an answer in time");
    await s.stop("SIGKILL");
    // overdue at the start
    s = await open(dir, shards, day + 60000);
    await until(async () => (await state(s, long)).values.said === "late", "an overdue question");
    await until(async () => await statusOf(s, long) === "interrupted", "its thread to wait");
    equal([(await state(s, answered)).values.said, (await call(s, "GET", `/threads/${answered}/runs`)).json.length], ["yes", 2], "what was answered is not touched");
    await s.stop();
  });

  await scenario(`${shards}: an answer and the timeout at once`, async () => {
    const s = await open(dir, shards);
    const list = await Promise.all(Array.from({ length: 20 }, () => asks(s, "deadline", { limit: "1s" })));
    const ids = await Promise.all(list.map(async (t) => (await questions(s, t)).find((x) => x.value.due)?.id));
    await until(async () => (await state(s, list[0])).values.said !== null, "the first timeout");
    await Promise.all(list.map((t, i) => ids[i] && resume(s, t, "deadline", { [ids[i]]: "yes" })));
    for (const t of list) {
      const v = await until(async () => { const x = await state(s, t); return x.values.said !== null && await statusOf(s, t) === "interrupted" && x; }, "one of the two");
      check(["yes", "late"].includes(v.values.said), "one has won", v.values);
      equal(v.tasks.flatMap((x) => x.interrupts).map((x) => x.value.prompt), ["And?"], "the other question stays");
    }
    await s.stop();
  });
}

function words2(list) { return list.filter(([bad]) => bad !== null); }
finish();
