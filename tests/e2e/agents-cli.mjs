// agents-cli.mjs - agents in the terminal: `cohort agent run` and `cohort agent test`.
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, equal, finish, repo, scenario, scratch, startMock } from "./lib.mjs";

const dir = scratch(), agents = path.join(repo, "tests", "agents");
const put = (name, text) => { const file = path.join(dir, name); writeFileSync(file, text); return file; };
function agent(command, file, args = [], { input = "", env = {} } = {}) {
  const r = spawnSync(binary, ["agent", command, ...[file].flat(), ...args], { input, encoding: "utf8", timeout: 20000,
    env: { PATH: process.env.PATH, ...env } });
  let json; try { json = JSON.parse(r.stdout); } catch { /* not JSON */ }
  return { code: r.status, out: r.stdout, err: r.stderr, json };
}

const refund = put("refund.yaml", `id: refund
state: {amount: {}, state: {}, messages: {reducer: messages}}
nodes:
  say:   {llm: {}}
  ask:   {ask: {prompt: "Pay \${amount}?", options: [yes, no]}, writes: {state: result.value}}
  later: {wait: {ms: 3600000}}
  tell:  {emit: {name: done, data: {state: state}}}
  stop:  {fail: {name: Refused, message: "not \${amount}"}}
edges:
  - [START, say]
  - [say, ask]
  - {from: ask, to: later, when: state == 'yes'}
  - {from: ask, to: stop}
  - [later, tell]
`);

await scenario("run", async () => {
  const began = performance.now();
  const r = agent("run", refund, ["--input", '{"amount": 5}', "--virtual"], { input: "yes\n" });
  equal([r.code, r.json?.state, r.json?.amount], [0, "yes", 5], "what came out is JSON on stdout");
  check(performance.now() - began < 5000, "an hour's wait takes no time");
  equal(r.err.split("\n").filter((l) => l.startsWith("> ")), ["> say", "> ask", "> later", "> tell"], "its steps, each once");
  check(/^A small server can hold/m.test(r.err), "the scripted model's text", r.err);
  check(r.err.includes("? Pay 5?\n  1) yes\n  2) no\n"), "the question and its options", r.err);
  check(r.err.includes('event done {"state":"yes"}'), "what it emits", r.err);
});

await scenario("answers", async () => {
  equal(agent("run", refund, ["--virtual"], { input: "1\n" }).json.state, "yes", "a number chooses an option");
  equal(agent("run", refund, ["--virtual", "--answer", "yes", "--quiet"]).err, "", "--answer instead of a question, --quiet says nothing");
  const none = agent("run", refund, ["--virtual"]);
  equal([none.code, none.json.state], [1, undefined], "without an answer it stops");
  check(none.err.endsWith("cohort agent run: it waits for an answer, and there is none\n"), "and says so", none.err);
  const two = agent("run", path.join(agents, "e2e", "two_asks.yaml"), ["--answer", '{"a": 1}', "--answer", "text"]);
  equal(two.code, 0, "two questions, two answers");
});

await scenario("failures", async () => {
  const failed = agent("run", refund, ["--input", '{"amount": 7}', "--answer", "no"]);
  equal([failed.code, failed.out], [1, ""], "a run that fails prints nothing on stdout");
  check(failed.err.endsWith("cohort agent run: Refused: not 7\n"), "and its error on stderr", failed.err);
  for (const [args, code, text] of [
    [["--input", "[1]"], 2, "--input: expected a JSON object, got an array"],
    [["--input", "{"], 2, "--input:"],
    [["--config", '{"configurable": {"temperature": "hot"}}'], 1, "config.configurable.temperature: expected a number, got a string"],
    [["--model", "bedrock:x"], 1, "bedrock"],
    [["--inptu", "{}"], 2, "--inptu"],
  ]) {
    const r = agent("run", refund, args);
    check(r.code === code && r.err.includes(text), `${args.join(" ")}: exit ${code}, ${text}`, r);
  }
  const broken = agent("run", put("broken.yaml", "id: b\nnodes: {a: {sett: {}}}\nedges: []\n"));
  check(broken.code === 1 && /broken\.yaml:2:13: nodes\.a: unknown key 'sett'/.test(broken.err), "a broken file has its place", broken.err);
  equal(agent("run", path.join(dir, "none.yaml")).code, 1, "a file that is not there");
});

await scenario("agents beside it", async () => {
  const r = agent("run", path.join(agents, "helper.yaml"), ["--input", '{"messages": "bees"}', "--script",
    put("script.json", JSON.stringify({ rules: [{ match: "bees", reply: '{"route":"work"}' }], default: { reply: "done" } })), "--model", "scripted:x", "--answer", "no"]);
  check(r.code === 0 || r.err.includes("model"), "helper calls worker of its folder", r.err);
});

await scenario("a real model", async () => {
  const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
  const r = agent("run", refund, ["--input", '{"messages": "hi"}', "--virtual", "--answer", "yes", "--model", "openai:mock-gpt-4o"], { env: { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test" } });
  equal([r.code, r.json?.messages?.[1]?.type], [0, "ai"], "it is asked over HTTP");
  await mock.stop();
});

await scenario("tests of files", async () => {
  const files = readdirSync(agents).filter((f) => f.endsWith(".yaml") && !f.includes(".tests.")).map((f) => path.join(agents, f));
  const r = agent("test", files);
  check(r.code === 0 && /^\d+ passed, 0 failed$/m.test(r.out), "the agents of the suites pass theirs", r.out + r.err);
  const bad = put("bad.yaml", `id: bad
state: {n: {}}
nodes: {a: {set: {n: 1}}, b: {emit: {data: {x: n}}}}
edges: [[START, a], [a, b]]
tests:
  - {name: right, expect: {values: {n: 1}, path: [a, b], events: [{x: 1}]}}
  - {name: value, expect: {values: {n: 2}}}
  - {name: path, expect: {path: [a]}}
  - {name: unused, replies: [x], expect: {}}
  - {name: error, expect: {error: Boo}}
`);
  const f = agent("test", bad);
  equal(f.code, 1, "a test that fails is an exit code");
  equal(f.out, `ok 1 - bad: right
not ok 2 - bad: value
#   values.n: expected 2
#             got      1
not ok 3 - bad: path
#   path: expected ["a"]
#         got      ["a","b"]
not ok 4 - bad: unused
#   replies: 0 of 1 were used
not ok 5 - bad: error
#   error: expected "Boo"
#          got      nothing
1 passed, 4 failed
`, "each says what was expected");
  for (const [text, words] of [
    ["{}", "tests: expected a list of tests"],
    ["[{name: a}]", "tests[0]: 'expect' is missing"],
    ["[{nmae: a, expect: {}}]", "tests[0]: unknown key 'nmae'; did you mean 'name'?"],
    ["[{expect: {valeus: {}}}]", "tests[0].expect: unknown key 'valeus'; did you mean 'values'?"],
    ["[{expect: {path: a}}]", "tests[0].expect.path: expected a list, got a string"],
  ]) {
    const r = agent("test", put("t.yaml", `id: t\nnodes: {a: {set: {}}}\nedges: [[START, a]]\ntests: ${text}\n`));
    check(r.code === 1 && r.err.startsWith(path.join(dir, "t.yaml:")) && r.err.includes(words), `${text}: ${words}`, r.err + r.out);
    equal([agent("check", path.join(dir, "t.yaml")).code, agent("check", path.join(dir, "t.yaml")).err], [1, r.err], "check tells it too");
  }
  const hash = (file) => JSON.parse(agent("show", file, ["--json"]).out);
  check(hash(bad).tests === undefined, "tests are no part of the agent");
});

finish();
