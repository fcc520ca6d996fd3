// mail-cli.mjs - `cohort agent spawn|list|stop|send|tail` and `cohort mail dead|conversation`
// against a server: output, --json, errors, exit codes.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, oneNode, scenario, scratch, startServer, until } from "./lib.mjs";
import { contents, poll, uuid } from "./mail-lib.mjs";

const dir = scratch(), agents = path.join(dir, "agents");
mkdirSync(agents);
writeFileSync(path.join(agents, "echo.yaml"), "id: echo\ncontext: {n: 0}\ninitial: ready\nstates:\n  ready: {on: {message.request: {actions: {reply: {performative: inform, content: {got: event.data.content}}}}}}\n");
const s = await startServer({ dir, args: ["--agents", agents] });
const env = { PATH: process.env.PATH };
// While it waits a proxy of this process stands still: it asks a node.
function cli(...args) {
  const url = args[0] === "help" ? [] : ["--url", oneNode(s).url], r = spawnSync(binary, [...args, ...url], { encoding: "utf8", timeout: 30000, env });
  return { code: r.status, out: r.stdout, err: r.stderr, lines: r.stdout.split("\n").filter(Boolean) };
}
await scenario("--help anywhere", async () => {
  for (const args of [["send", "ann", "--help"], ["spawn", "--name", "x", "--help"], ["list", "-h"]]) {
    const r = cli("agent", ...args);
    check(r.code === 0 && r.out.includes(`usage: cohort agent ${args[0]}`), `${args}: ${r.err}`);
  }
});

const json = (r) => r.lines.map((l) => JSON.parse(l));

await scenario("spawn, list, stop", async () => {
  const ann = cli("agent", "spawn", "--kind", "external", "--name", "ann", "--capability", "sum", "--capability", "sort:v2", "--mailbox-max", "5", "--metadata", '{"a":1}');
  equal([ann.code, ann.lines.length, uuid.test(ann.lines[0])], [0, 1, true], "prints the id");
  const seen = (await call(s, "GET", "/agents/ann")).json;
  equal([seen.capabilities, seen.mailbox_max, seen.metadata, seen.durable], [["sum", "sort:v2"], 5, { a: 1 }, true], "of an agent as it was asked for");
  const echo = cli("agent", "spawn", "echo", "--name", "echo", "--memory", "--restart", "on_failure", "--max-restarts", "2", "--window", "1000", "--backoff", "10", "--json");
  const shown = json(echo)[0];
  equal([echo.code, shown.kind, shown.supervision], [0, "chart", { restart: "on_failure", max_restarts: 2, window: 1000, backoff: 10, restarts: 0 }], "--json: the whole agent");
  const list = cli("agent", "list");
  check(list.code === 0 && list.lines.length === 2 && /^\S+ +chart +ready +0 waiting +echo$/.test(list.lines[0]) && /ann \+sum \+sort:v2$/.test(list.lines[1]), "list: newest first", list.out);
  equal(json(cli("agent", "list", "--json", "--capability", "sum")).map((a) => a.name), ["ann"], "--json, by capability");
  equal(cli("agent", "list", "--name", "nobody").out, "", "none is none");
  const taken = cli("agent", "spawn", "--kind", "external", "--name", "ann");
  equal([taken.code, taken.out, /409/.test(taken.err) && /ann/.test(taken.err)], [1, "", true], "a name that is taken");
  const none = cli("agent", "spawn", "nope");
  equal([none.code, /no agent is defined as 'nope'/.test(none.err)], [1, true], "no such graph");
  const bad = cli("agent", "spawn", "echo", "--input", "{");
  equal([bad.code, /--input: /.test(bad.err)], [1, true], "JSON that is none, by its flag");
});

await scenario("send and tail", async () => {
  const sent = cli("agent", "send", "ann", '{"n":1}', "--conversation", "c", "--reply-with", "r", "--act", "request");
  equal([sent.code, uuid.test(sent.lines[0])], [0, true], "prints the message's id");
  cli("agent", "send", "ann", "plain words", "--priority", "3");
  equal(cli("agent", "send", "ann", "--json").out.includes('"receivers":1'), true, "without content; --json");
  equal(contents(await poll(s, "ann")), ["plain words", { n: 1 }, undefined], "what was sent");
  cli("agent", "send", "ann,echo", '"both"');
  const tail = cli("agent", "tail", "ann", "--count", "1");
  equal([tail.code, /inform  "both"$/.test(tail.lines[0])], [0, true], "tail: a line a message");
  cli("agent", "send", "ann", "1", "--durable", "--conversation", "kept");
  equal(json(cli("agent", "tail", "ann", "--no-wait", "--no-ack", "--json")).map((m) => m.content), [1], "--no-ack leaves a durable one");
  equal(json(cli("agent", "tail", "ann", "--no-wait", "--json")).map((m) => m.content), [1], "and without, it is acked");
  equal(cli("agent", "tail", "ann", "--no-wait").out, "", "once");
  cli("agent", "send", "echo", '"hello"', "--from", "ann", "--act", "request");
  equal(json(cli("agent", "tail", "ann", "--json", "--count", "1"))[0].content, { got: "hello" }, "--from: as an agent, and its reply comes");
  const live = spawn(binary, ["agent", "tail", "ann", "--url", s.url, "-n", "2"], { env });
  let text = "";
  live.stdout.on("data", (d) => { text += d; });
  cli("agent", "send", "ann", "first");
  await until(() => text.includes("first"), "a message to be shown as it comes");
  cli("agent", "send", "ann", "second");
  equal(await new Promise((ok) => live.on("exit", ok)), 0, "ends after so many");
  check(text.split("\n").length === 3, "a line each", text);
  for (const [args, code, words] of [[["agent", "send", "nobody", "1"], 1, "nobody"], [["agent", "send", "an", "1"], 1, 'did you mean "ann"'], [["agent", "send", "ann", "1", "--act", "tell"], 1, "22 communicative acts"],
    [["agent", "send", "ann", "1", "--ttl", "soon"], 1, "ttl"], [["agent", "send", "ann", "1", "--priority", "9"], 2, "--priority"], [["agent", "send"], 2, "needs AGENT"], [["agent", "tail", "nobody"], 1, "nobody"],
    [["agent", "tail", "echo"], 1, "chart"], [["agent", "stop", "nobody"], 1, "nobody"], [["agent", "stop", "ann", "--deadline", "5"], 1, "drain=true"], [["agent", "list", "--state", "odd"], 1, "state"], [["agent", "list", "--limit", "0"], 2, "--limit"],
    [["agent", "spawn", "--kind", "robot"], 2, "--kind"], [["agent", "spawn"], 1, "graph_id"], [["agent", "fly"], 2, "fly"]]) {
    const r = cli(...args);
    check(r.code === code && r.err.includes(words), args.join(" "), `${r.code} ${r.err}`);
  }
  const down = spawnSync(binary, ["agent", "list", "--url", "http://127.0.0.1:9"], { encoding: "utf8", env });
  equal([down.status, /cannot connect/.test(down.stderr)], [1, true], "a server that is not there");
});

await scenario("dead letters and conversations", async () => {
  check(/^delivered +\S+ .* conversation=kept +1$/.test(cli("mail", "conversation", "kept").lines[0]), "a conversation", cli("mail", "conversation", "kept").out);
  equal([cli("mail", "conversation", "none").code, /404/.test(cli("mail", "conversation", "none").err)], [1, true], "one that is not there");
  const lost = cli("agent", "spawn", "--kind", "external", "--name", "lost").lines[0];
  const ids = ["a", "b"].map((x) => cli("agent", "send", "lost", x, "--durable").lines[0]);
  equal([cli("agent", "stop", "lost").code, cli("agent", "stop", "lost").code], [0, 1], "stopped, once");
  await until(() => cli("mail", "dead", "list").lines.length === 2, "dead letters");
  check(/^\S+ +stopped +\d+ s  to \S+ .* inform  "b"$/.test(cli("mail", "dead", "list").lines[0]), "a line a letter", cli("mail", "dead", "list").out);
  equal(json(cli("mail", "dead", "list", "--json", "--limit", "1")).map((x) => x.message_id), [ids[1]], "--json, --limit");
  equal([cli("mail", "dead", "drop", ids[1]).code, cli("mail", "dead", "drop", ids[1]).code], [0, 1], "dropped, once");
  cli("agent", "spawn", "--kind", "external", "--name", "lost", "--id", lost);
  equal(cli("mail", "dead", "retry", ids[0]).code, 0, "tried again");
  equal(json(cli("agent", "tail", "lost", "--json", "--count", "1")).map((m) => m.content), ["a"], "and comes");
  equal(cli("mail", "dead", "list").out, "", "none is left");
  for (const args of [["mail", "dead"], ["mail", "dead", "shred"], ["mail", "dead", "retry"], ["mail", "dead", "list", "x"], ["mail", "conversation"]])
    equal(cli(...args).code, 2, `a wrong line: ${args.join(" ")}`);
  equal([cli("mail", "dead", "retry", "x").code, /UUID/.test(cli("mail", "dead", "retry", "x").err)], [1, true], "an id that is none");
  equal(cli("agent", "stop", "lost", "--drain", "--deadline", "100").code, 0, "--drain");
});

await scenario("help", async () => {
  const man = cli("help", "--man").out, words = cli("help", "--completion", "bash").out;
  for (const name of ["agent spawn", "agent list", "agent stop", "agent send", "agent tail", "mail dead", "mail conversation"]) {
    check(cli("help", ...name.split(" ")).out.startsWith(`cohort ${name}:`), `help ${name}`);
    check(man.includes(`.SS ${name}`) && words.includes(`"${name}")`), `${name}: manual page and completion`);
  }
});
await s.stop();
finish();
