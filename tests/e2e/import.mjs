// import.mjs - other programs' agents, as `cohort agent import` takes them: each key
// is kept or told with its line, and what comes out is an agent.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, equal, finish, scenario, scratch } from "./lib.mjs";

const dir = scratch();
const put = (name, text) => {
  const file = path.join(dir, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
};
const run = (...args) => spawnSync(binary, ["agent", ...args], { encoding: "utf8", timeout: 20000, cwd: dir, env: { PATH: process.env.PATH } });
const notes = (r) => r.stderr.trim().split("\n").slice(0, -1);

// A result that is text of ours: checked, and shown as JSON.
function agent(text, name = "out.yaml") {
  const file = put(`made/${name}`, text), r = run("show", file, "--json");
  check(r.status === 0, `${name} is an agent`, r.stderr);
  return r.status === 0 ? JSON.parse(r.stdout) : {};
}

// Front matter as people write it: what is kept of the llm (or null: refused), and
// words of the notes, in order.
const shapes = [
  ["name: a\ndescription: b", { }, []],
  ["name: a\ndescription: b\ntools: current_time", { tools: ["current_time"] }, []],
  ["name: a\ndescription: b\ntools: current_time, store_put", { tools: ["current_time", "store_put"] }, []],
  ["name: a\ndescription: b\ntools: [current_time, store_put]", { tools: ["current_time", "store_put"] }, []],
  ["name: a\ndescription: b\ntools:\n  - current_time\n  - Read", { tools: ["current_time"] }, ["6:5: tools[1]: left out: there is no tool 'Read'"]],
  ["name: a\ndescription: b\ntools: Read, Write, Bash(git *)", {}, ["'Read'", "'Write'", "'Bash'"]],
  ["name: a\ndescription: b\ntools: {current_time: true, write: false, bash: true}", { tools: ["current_time"] }, ["tools.bash: left out"]],
  ["name: a\ndescription: b\ntools: \"current_time\"", { tools: ["current_time"] }, []],
  ["name: a\ndescription: b\ntools: ['current_time', \"read\"]", { tools: ["current_time"] }, ["'read'"]],
  ["name: a\ndescription: b\nmodel: inherit", {}, []],
  ["name: a\ndescription: b\nmodel: sonnet", { model: "sonnet" }, ["4:1: model: 'sonnet' is kept as an alias"]],
  ["name: a\ndescription: b\nmodel: anthropic/claude-sonnet-4-5", { model: "anthropic:claude-sonnet-4-5" }, []],
  ["name: a\ndescription: b\nmodel: google/gemini-2.5-pro", { model: "google_genai:gemini-2.5-pro" }, []],
  ["name: a\ndescription: b\nmodel: openrouter/x/y", { model: "openrouter/x/y" }, ["'openrouter' is no provider here"]],
  ["name: a\ndescription: b\nmodel: gpt-4o", { model: "gpt-4o" }, []],
  ["name: a\ndescription: b\nmodel:", {}, []],
  ["name: a\ndescription: b\ntemperature: 0.2\ntop_p: 1", { temperature: 0.2 }, ["top_p"]],
  ["name: a\ndescription: b\nmaxTurns: 7\ntools: current_time", { tools: ["current_time"], max_turns: 7 }, []],
  ["name: a\ndescription: b\ncolor: blue\npermissionMode: plan", {}, ["4:1: color", "5:1: permissionMode"]],
  ["name: a\ndescription: b\ndisallowedTools: Write, Edit", {}, ["disallowedTools"]],
  ["name: a\ndescription: b\nhooks:\n  PreToolUse:\n    - matcher: Bash\n      hooks: [{type: command, command: x}]", {}, ["4:1: hooks"]],
  ["name: a\ndescription: b\nmemory: user\nbackground: true\nisolation: worktree\neffort: high", {}, ["memory", "background", "isolation", "effort"]],
  ["description: A mode\ntools: ['current_time']\nmodel: gpt-4o", { tools: ["current_time"], model: "gpt-4o" }, []],
  ["description: b\nmode: subagent\nsteps: 3\ntools: current_time\npermission: {edit: deny}", { tools: ["current_time"], max_turns: 3 }, ["mode", "permission"]],
  ["name: a\ndescription: b\nhandoffs:\n  - label: Go\n    agent: c\n    prompt: Do it\ntarget: vscode", {}, ["handoffs", "target"]],
  ["name: a\ndescription: Use this agent when: a, or b: c\ncolor: red", {}, ["4:1: color"], "Use this agent when: a, or b: c"],
  ["name: a\ndescription: Examples: <example>user: \"x\"</example>\n  more: of it\ntools: current_time", { tools: ["current_time"] }, []],
  ["name: a\ndescription: 'it''s'\nlicense: MIT\nmetadata: {version: \"1.0\"}", {}, ["license", "metadata"], "it's"],
  ["name: a\ndescription: |\n  two\n  lines\nallowed-tools: current_time", { tools: ["current_time"] }, [], "two\nlines\n"],
  ["name: a\ndescription: >-\n  folded\n  text\nargument-hint: '[x]'\nuser-invocable: false", {}, ["argument-hint", "user-invocable"], "folded text"],
  ["name: My Agent!\ndescription: b\nversion: 1", {}, ["version"]],
  ["name: a\ndescription: b\nglobs: '*.ts'\nalwaysApply: true\nunheardOf: 1", {}, ["globs", "alwaysApply", "unheardOf: left out: the key is not known"]],
];

await scenario("shapes of Markdown", async () => {
  for (const [i, [head, llm, words, description]] of shapes.entries()) {
    const file = put(`m${i}.md`, `---\n${head}\n---\n\n# You are it\n\nDo \${this}: {{that}}.\n`);
    const r = run("import", file);
    if (!check(r.status === 0, `shape ${i} is imported`, r.stderr)) continue;
    const made = agent(r.stdout), node = made.nodes?.agent?.llm ?? {};
    equal(node.system, "# You are it\n\nDo ${'$'}{this}: {{that}}.", `shape ${i}: its prompt`);
    const want = { ...llm, ...(llm.tools && { max_turns: llm.max_turns ?? 25 }) };
    equal(Object.entries({ ...node, system: undefined }).filter(([, v]) => v !== undefined).sort(), Object.entries(want).sort(), `shape ${i}: ${head}`);
    const told = notes(r);
    check(told.length === words.length && words.every((w, k) => told.some((t) => t.includes(w))), `shape ${i}: what is told`, told);
    if (description !== undefined) equal(made.description, description, `shape ${i}: its description`);
  }
});

await scenario("a template's hole stays text", async () => {
  const r = run("import", put("hole.md", "---\nname: hole\n---\nSay ${HOME} and `$x` and $${y}.\n"));
  const file = put("hole.yaml", r.stdout + "tests:\n  - input: {messages: hi}\n    replies: [ok]\n    expect: {path: [agent]}\n");
  check(run("test", file).status === 0, "the agent runs", run("test", file).stdout);
});

await scenario("skills", async () => {
  put("skills/pdf/SKILL.md", "---\nname: pdf\ndescription: How to read \"PDF\" files\n---\n# PDF\n\nUse `pdftotext`.\n");
  const r = run("import", put("sk.md", "---\nname: sk\nskills:\n  - pdf\n  - ../etc\n  - none\n---\nHelp.\n"));
  const made = agent(r.stdout);
  check(made.nodes.agent.llm.system.includes('- pdf: How to read "PDF" files'), "the prompt lists it", made);
  equal(made.nodes.agent.llm.tools, ["skill"], "a tool gives it");
  const told = notes(r);
  check(told.length === 2 && told.every((t) => t.includes("there is no skill")), "those that are not there are told", told);
  const file = put("sk.yaml", r.stdout + `tests:
  - input: {messages: hi}
    replies: [{content: "", tool_calls: [{name: skill, args: {name: pdf}, id: c1}]}, ok]
    expect: {values: {messages: [{}, {}, {content: "# PDF\\n\\nUse \`pdftotext\`."}, {content: ok}]}}
`);
  const t = run("test", file);
  check(t.status === 0, "a model that asks for it gets it", t.stdout);
  equal(run("import", path.join(dir, "skills/pdf/SKILL.md")).status, 0, "a skill alone is an agent");
});

const agents = `researcher:
  role: >
    {topic} Senior Researcher
  goal: >
    Uncover news of {topic}
  backstory: >
    Seasoned; finds {"things": 1}.
  tools: [current_time, SerperDevTool]
  llm: openai/gpt-4o
  max_iter: 3
  verbose: True
analyst:
  role: Analyst
  goal: reports
  backstory: meticulous
  allow_delegation: false
  cache: ~
`;
const tasks = `research:
  description: >
    Research {topic}, year {year}. Pay $\{5}.
  expected_output: >
    10 points
  agent: researcher
report:
  description: Review it
  expected_output: a report
  agent: analyst
  context: [research, nothing]
  output_file: report.md
  human_input: true
  async_execution: true
`;
await scenario("crews", async () => {
  put("crew/agents.yaml", agents);
  put("crew/tasks.yaml", tasks);
  const a = run("import", "crew/agents.yaml"), b = run("import", "crew/tasks.yaml");
  equal(a.stdout, b.stdout, "either file is enough");
  const made = agent(a.stdout);
  equal(Object.keys(made.state), ["report", "research", "topic", "year"], "placeholders and results are channels");
  equal(made.nodes.research.llm, { max_turns: 3, messages: [], model: "openai:gpt-4o",
    prompt: "Research ${data.topic}, year ${data.year}. Pay ${'$'}{5}.\n\nExpected output: 10 points",
    system: "You are ${data.topic} Senior Researcher. Seasoned; finds {\"things\": 1}.\nYour goal: Uncover news of ${data.topic}",
    tools: ["current_time"] }, "a task is a node");
  equal(made.edges, [["START", "research"], ["research", "report"], ["report", "report_review"]], "in order, with a person at the end");
  const told = notes(a);
  for (const words of ["agents.yaml:8:25: researcher.tools[1]: left out: there is no tool 'SerperDevTool'", "researcher.verbose", "analyst.allow_delegation",
    "analyst.cache", "tasks.yaml:11:23: report.context[1]: left out: there is no task", "report.output_file", "report.async_execution"])
    check(told.some((t) => t.includes(words)), `told: ${words}`, told);
  equal(told.length, 7, "and nothing else");
  const file = put("crew.yaml", a.stdout + `tests:
  - input: {topic: bees, year: 2026}
    replies: [Bees dance., A report.]
    answers: [A better report.]
    expect: {path: [research, report, report_review], values: {research: Bees dance., report: A better report.}}
`);
  const t = run("test", file);
  check(t.status === 0, "the crew runs", t.stdout + t.stderr);
  // The second sample: a list of agents without tools, tasks without an agent.
  put("crew2/agents.yaml", "writer:\n  role: Writer\n  goal: write\n  backstory: old\n");
  put("crew2/tasks.yaml", "outline:\n  description: Outline {subject}\n  expected_output: an outline\n  agent: writer\ndraft-it:\n  description: Draft it\n  expected_output: a draft\n");
  const c = run("import", "crew2/tasks.yaml");
  equal(Object.keys(agent(c.stdout).nodes), ["draft_it", "outline"], "names that are no words are mended");
  check(notes(c)[0].includes("tasks.yaml:5:1: draft-it: it has no agent"), "a task without an agent is told", c.stderr);
  put("alone/agents.yaml", agents);
  check(run("import", "alone/agents.yaml").stderr.includes("its other half, tasks.yaml, is not beside it"), "one half alone is refused");
});

// Every agent of the file is one of ours; what is told, word for word.
function files(name, text, told) {
  const out = path.join(dir, `out-${name}`), r = run("import", put(name, text), "--out", out);
  if (!check(r.status === 0, `${name} is imported`, r.stderr)) return {};
  if (told) equal(notes(r).map((t) => t.slice(t.indexOf(" ") + 1)), told, `${name}: what is told`);
  const made = readdirSync(out).sort();
  check(run("check", ...made.map((f) => path.join(out, f))).status === 0, `${name}: all of it loads together`);
  return Object.fromEntries(made.map((f) => [f.slice(0, -5), JSON.parse(run("show", path.join(out, f), "--json").stdout)]));
}

await scenario("teams of Docker Agent", async () => {
  const shop = files("shop.yaml", `models:
  fast: {provider: openai, model: gpt-4o-mini, temperature: 0.2, max_tokens: 900}
  deep: {provider: anthropic, model: claude-sonnet-4-5, thinking_budget: 4000}
agents:
  root:
    model: deep
    description: Answers for the shop.
    instruction: You answer. Ask the clerk for orders.
    sub_agents: [clerk, writer, ghost]
    toolsets: [{type: think}, {type: shell}]
    fallback: {models: [fast]}
    add_date: true
    max_iterations: 6
  clerk:
    model: fast
    description: Knows orders.
    instruction: You look up orders.
    toolsets: [{type: fetch}]
    structured_output: {name: order, strict: true, schema: {type: object, properties: {id: {type: string}}, required: [id]}}
  writer:
    model: openai/gpt-4o
    description: Writes mails.
    instruction: You write mails.
    handoffs: [clerk]
`, ["models.deep.thinking_budget: left out: models are asked without it", "agents.root.add_date: left out: use the tool current_time",
    "agents.root.toolsets[0]: left out: toolset 'think': models think by themselves", "agents.root.toolsets[1]: left out: toolset 'shell': nothing runs commands here",
    "agents.root.sub_agents[2]: left out: there is no agent of that name in the file",
    "agents.writer.handoffs: agents to hand over to are called as tools: the conversation comes back"]);
  equal(shop.root?.tools, { clerk: { agent: "clerk", description: "Knows orders." }, writer: { agent: "writer", description: "Writes mails." } }, "sub_agents are tools");
  equal(shop.root?.nodes.agent.llm.tools, ["clerk", "writer"], "which the model is offered");
  equal([shop.root?.nodes.agent.llm.model, shop.root?.nodes.agent.llm.fallbacks], ["anthropic:claude-sonnet-4-5", ["openai:gpt-4o-mini"]], "models, and those to fall back on");
  equal([shop.clerk?.nodes.agent.llm.tools, shop.clerk?.nodes.agent.llm.output.schema.required], [["http_get"], ["id"]], "a page reader; an answer's form");
  const served = files("served.yaml", `agents:
  root:
    model: openai/gpt-4o
    description: d
    instruction: You answer.
    toolsets:
      - {type: mcp, command: npx, args: [-y, some-server, /srv/shop], tools: [read_text_file], env: {LOG: debug}}
      - {type: mcp, remote: {url: "https://mcp.example.com/mcp", transport_type: streamable, headers: {X-Key: "env:KEY"}}}
      - {type: mcp, ref: "docker:duckduckgo"}
`, []).root;
  equal(served?.mcp, { duckduckgo: { command: ["docker", "mcp", "gateway", "run", "--servers=duckduckgo"] },
    server1: { command: ["npx", "-y", "some-server", "/srv/shop"], env: { LOG: "debug" }, tools: ["read_text_file"] },
    server2: { headers: { "X-Key": "env:KEY" }, url: "https://mcp.example.com/mcp" } }, "MCP servers of three kinds");
  equal(served?.nodes.agent.llm.tools, ["server1", "server2", "duckduckgo"], "all of their tools");
  // Two that call each other: a cycle ends at a depth, it is not refused.
  const pair = files("pair.yaml", `agents:
  root: {model: openai/gpt-4o, description: a, instruction: "You are a.", sub_agents: [other], commands: {go: Go}}
  other: {model: openai/gpt-4o, description: b, instruction: "You are b.", handoffs: [root], num_history_items: 5}
`, undefined);
  equal([Object.keys(pair.root?.tools ?? {}), Object.keys(pair.other?.tools ?? {})], [["other"], ["root"]], "each is a tool of the other");
});

await scenario("machines of XState", async () => {
  const order = files("order.json", JSON.stringify({ id: "order", initial: "idle", context: { tries: 0 }, states: {
    idle: { on: { START: "work" } },
    work: { initial: "fetch", on: { PAUSE: "paused" }, states: {
      fetch: { invoke: { src: "load", onDone: { target: "shown" }, onError: { target: "#order.failed" } } },
      shown: { after: { 5000: "fetch" }, on: { NEXT: [{ target: "#order.done", guard: "isReady" }, { target: "fetch" }] } },
      hist: { type: "history", history: "deep" } } },
    paused: { on: { RESUME: "work.hist" } }, failed: { type: "final" }, done: { type: "final" } } }),
  ["states.work.states.fetch.invoke.src: what is invoked is code: it became the scripted tool 'load', which answers null",
    "states.work.states.shown.on.NEXT[0].guard: the guard is code: it became the channel 'isReady', false until it is set"]).order;
  equal([order?.states.work.states.shown.after, order?.states.work.states.hist.history], [{ "5000ms": [{ target: ["fetch"] }] }, "deep"], "times and histories");
  const door = files("door.json", JSON.stringify({ id: "door", initial: "in", states: { in: { type: "parallel", states: {
    lock: { initial: "shut", states: {
      shut: { entry: ["beep"], on: { OPEN: { target: "open", cond: "hasKey" } } },
      open: { after: [{ delay: 1000, target: "shut" }, { delay: "soon", target: "shut" }, { delay: 1000, target: "open" }], always: { target: "shut", guard: { type: "isNight", params: { h: 22 } } } } } },
    light: { initial: "off", states: { off: { on: { SWITCH: "on" } }, on: { invoke: { src: "lamp", id: "lamp" }, on: { SWITCH: "off" } } } } } } } }), undefined).door;
  equal(door?.states.in.states.lock.states.open.after, { "1000ms": [{ target: ["shut"] }] }, "a list of times, too");
  equal(Object.keys(door?.context ?? {}).sort(), ["hasKey", "isNight"], "guards that are code");
});

await scenario("what is refused", async () => {
  for (const [name, text, words] of [
    ["none.md", "# Only text\n", "none.md:1:1: no front matter"],
    ["empty.md", "---\nname: a\n---\n \n", "nothing below the front matter"],
    ["other.yaml", "a: 1\n", "not an agent of a known kind"],
    ["list.yaml", "- 1\n", "not an agent of a known kind"],
    ["bad.yaml", "a: [1\n", "bad.yaml:2:1: not YAML"],
    ["bad.json", "{", "bad.json:"],
    ["absent.md", null, "absent.md: "],
  ]) {
    const file = text === null ? path.join(dir, name) : put(name, text), r = run("import", file);
    check(r.status === 1 && r.stdout === "" && r.stderr.includes(words), `${name}: ${words}`, r.stderr);
  }
});

await scenario("files that exist stay", async () => {
  const file = put("m.md", "---\nname: mine\n---\nHello.\n"), out = path.join(dir, "agents");
  equal(run("import", file, "--out", out).stdout, `${out}/mine.yaml\n`, "the file that was made");
  writeFileSync(path.join(out, "mine.yaml"), "id: mine\n");
  const again = run("import", file, "--out", out);
  check(again.status === 1 && again.stderr.includes("--force writes over it"), "it is not written over", again.stderr);
  equal(readFileSync(path.join(out, "mine.yaml"), "utf8"), "id: mine\n", "and stays as it is");
  equal(run("import", file, "--out", out, "--force").status, 0, "--force writes it");
  equal(readdirSync(out), ["mine.yaml"], "nothing else is there");
});

finish();
