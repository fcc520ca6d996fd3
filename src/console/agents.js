// agents.js - the agents of a server, and the drawing of one: nodes or states as the server
// lays them out, those that are active in a thread marked as it runs.
import { encode, h, visible } from "./dom.js";
import { s } from "./figures.js";
import { follow } from "./follow.js";
import { barButton, emptyState, field, folded, name, table, tag, when } from "./parts.js";

const ROWS = 100;
const SPAN = 120; // ms between two looks at what happened
const CHANNELS = ["lifecycle", "tasks", "checkpoints", "input"];
const KINDS = "run_start,input,entered,exited,run_end";

const href = (id, thread) => `#/agents/${encode(id)}${thread ? `/${encode(thread)}` : ""}`;

// ---- all of them ----

function list(host, { agents }) {
	const search = h("input", { type: "search", placeholder: "Name or description", autocomplete: "off" });
	const body = h("div.stack");
	const columns = [
		["Agent", (a) => h("a", { href: href(a.assistant_id) }, name(a.name))],
		["Graph", (a) => h("code", visible(a.graph_id))],
		["Description", (a) => h("span", { dir: "auto" }, visible(String(a.description ?? "").slice(0, 200)))],
		["Changed", (a) => when(a.updated_at)],
	];
	const draw = () => {
		const words = search.value.trim().toLowerCase();
		const fit = agents.filter((a) => `${a.name}\n${a.graph_id}\n${a.description ?? ""}`.toLowerCase().includes(words));
		const cut = fit.length > ROWS ? h("p.quiet", `The first ${ROWS} of ${fit.length}.`) : null;
		body.replaceChildren(...[table(columns, fit.slice(0, ROWS), { label: "Agents", empty: "No agent is called so." }), cut].filter(Boolean));
	};
	search.addEventListener("input", draw);
	draw();
	host.replaceChildren(h("div.toolbar", field("Search", search)), body);
}

// ---- a drawing ----

const groups = ["compound", "parallel"];
const text = (x, y, kind, words) => s("text", { x, y, class: kind }, visible(words));

function drawNode(n) {
	const [x, y] = [n.x + n.width / 2, n.y + n.height / 2];
	const g = s("g", { class: `state ${n.type}` }, n.id ? s("title", null, n.description ? visible(n.description.slice(0, 500)) : n.id) : "");
	const box = (by, rx) => g.append(s("rect", { x: n.x + by, y: n.y + by, width: n.width - 2 * by, height: n.height - 2 * by, rx }));
	if (n.type === "initial" || n.type === "history") g.append(s("circle", { cx: x, cy: y, r: n.width / 2 }));
	else box(0, ["start", "end"].includes(n.type) ? n.height / 2 : 8);
	if (n.type === "final") box(3, 6);
	if (groups.includes(n.type)) g.append(text(n.x + 14, n.y + 20, "group-name", n.detail ? `${n.label}  (${n.detail})` : n.label));
	else if (n.type !== "initial") g.append(text(x, n.detail ? y - 3 : y + 4, "state-name", n.label), n.detail ? text(x, y + 13, "detail", n.detail) : "");
	return g;
}

function drawEdge(e) {
	const lines = e.lines.map((l, i) => text(e.x, e.y + 4 + 14 * (i - (e.lines.length - 1) / 2), "detail over", l));
	return s("g", null, s("path", { d: e.path, class: e.conditional ? "arrow maybe" : "arrow", "marker-end": "url(#tip)" }), lines);
}

function drawAll(d, label) {
	const tip = s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0L8 4L0 8z" }));
	const nodes = d.nodes.map(drawNode);
	const edges = d.edges.filter((e) => e.path).map(drawEdge);
	const svg = s("svg", { viewBox: `0 0 ${d.width} ${d.height}`, width: d.width, height: d.height, role: "img", "aria-label": label }, s("defs", null, tip), nodes, edges);
	return { nodes, box: h("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": label }, svg) };
}

const called = (n) => (n.type === "history" ? n.id : n.label);

// The same as nested lists: what is there, and what leads from it to where.
function outline(d, agents) {
	const marks = new Map();
	const of = (parent) => {
		const here = d.nodes.map((n, i) => [n, i]).filter(([n]) => n.parent === parent && n.type !== "initial");
		return here.length === 0 ? null : h("ul.outline", here.map(([n, i]) => item(n, i)));
	};
	const item = (n, i) => {
		const mark = h("span", { hidden: true, class: "tag accent" }, "active");
		const sub = agents.find((a) => n.detail === `agent ${a.graph_id}`);
		const first = d.edges.filter((e) => d.nodes[e.source].type === "initial").some((e) => e.target === i);
		const out = d.edges.filter((e) => e.source === i).map((e) => h("li.quiet", visible(`${e.label ? `${e.label} ` : ""}\u2192 ${called(d.nodes[e.target])}`)));
		if (n.id) marks.set(n.id, mark);
		return h(
			"li",
			h("strong", { dir: "auto" }, visible(called(n))),
			n.type === "node" ? null : tag(n.type),
			first ? tag("initial") : null,
			n.detail ? h("span.quiet", " ", sub ? h("a", { href: href(sub.assistant_id) }, visible(n.detail)) : visible(n.detail)) : null,
			" ",
			mark,
			out.length > 0 ? h("ul.leads", out) : null,
			of(i),
		);
	};
	return { marks, el: of(null) ?? h("p.quiet", "Nothing is known of what is inside.") };
}

// ---- what is active ----

// From the entries of a thread's transcript.  A chart that waits for an answer goes on
// where it was; a graph's nodes begin anew.
class Path {
	constructor(isChart) {
		this.isChart = isChart;
		this.counts = new Map();
		this.running = false;
	}

	apply(e) {
		if (e.ns !== "") return;
		const add = (n) => this.counts.set(e.state, Math.max((this.counts.get(e.state) ?? 0) + n, 0));
		if (e.kind === "entered") add(1);
		else if (e.kind === "exited") add(-1);
		else if (e.kind === "input" || !this.isChart || (e.kind === "run_end" && e.status !== "interrupted")) this.counts.clear();
		if (e.kind === "run_start" || e.kind === "run_end") this.running = e.kind === "run_start";
	}
}

// With the states around each.
function around(d, ids) {
	const all = new Set();
	for (const id of ids) for (let n = d.nodes.find((x) => x.id === id); n; n = d.nodes[n.parent]) all.add(n.id);
	return all;
}

// Calls tell(ids, words, running) for what is active now, and each time that changes.
async function watch(thread, d, { wire, signal }, tell) {
	const path = new Path(!d.nodes.some((n) => n.type === "start"));
	const at = `/threads/${encode(thread)}/transcript?format=jsonl&kinds=${KINDS}`;
	let after = "";
	let timer = null;
	let again = false;
	const look = async () => {
		const lines = await (await wire.request("GET", at + after, { signal })).text();
		for (const line of lines.split("\n").filter(Boolean)) {
			const e = JSON.parse(line);
			path.apply(e);
			after = `&after=${e.run_id}:${e.seq}`;
		}
		const next = path.running ? [] : ((await wire.history(thread, 1))[0]?.next ?? []);
		const went = [...path.counts].filter(([, n]) => n > 0).map(([id]) => id);
		if (!signal.aborted) tell(path.running ? new Set(went) : around(d, path.isChart ? [...went, ...next] : next), path.running);
	};
	// One at a time; what happens meanwhile is looked at afterwards.
	const soon = () => {
		again = true;
		timer ??= setTimeout(async () => {
			again = false;
			await look().catch(() => {});
			timer = null;
			if (again && !signal.aborted) soon();
		}, SPAN);
	};
	await look();
	if (signal.aborted) return;
	const stop = follow(thread, { event: soon, connected: (yes, anew) => yes && anew && soon(), refused() {} }, CHANNELS);
	signal.addEventListener("abort", stop);
}

// ---- one ----

const shortly = (t) => `${visible(String(t.metadata?.title ?? `\u2026${t.thread_id.slice(-8)}`)).slice(0, 60)}, ${t.status}`;

async function one(host, agent, asked, context) {
	const { wire, signal } = context;
	const { assistant_id: id } = agent;
	const [d, threads] = await Promise.all([
		wire.call("GET", `/assistants/${encode(id)}/drawing`, undefined, { signal }),
		wire.call("POST", "/threads/search", { metadata: { assistant_id: id }, limit: 50, sort_by: "updated_at", select: ["thread_id", "status", "metadata"] }, { signal }),
	]);
	const label = `Drawing of ${visible(agent.name)}`;
	const { nodes, box } = drawAll(d, label);
	const { marks, el } = outline(d, context.agents);
	const now = h("p", { class: "now", role: "status" }, "No thread has been run yet.");
	const ids = threads.map((t) => t.thread_id);
	const thread = asked ?? ids[0];
	const known = thread && !ids.includes(thread) ? [{ thread_id: thread, status: "asked for" }, ...threads] : threads;
	const pick = h("select", { onchange: (e) => context.navigate(href(id, e.target.value)) }, known.map((t) => h("option", { value: t.thread_id }, shortly(t))));
	const fit = h("input", { type: "checkbox", onchange: () => box.classList.toggle("fit", fit.checked) });

	function tell(active, running) {
		const inner = d.nodes.filter((n, i) => active.has(n.id) && !d.nodes.some((m) => m.parent === i && active.has(m.id))).map((n) => n.id);
		const said = active.size === 0 ? "Nothing is active." : `${running ? "Active" : "Waits in"}: ${inner.join(", ")}`;
		for (const [key, mark] of marks) mark.hidden = !active.has(key);
		nodes.forEach((g, i) => g.classList.toggle("active", active.has(d.nodes[i].id)));
		now.classList.toggle("running", running);
		if (now.textContent !== visible(said)) now.textContent = visible(said);
		const n = d.nodes.find((x) => x.id === inner[0]);
		if (n && !box.classList.contains("fit") && (n.y < box.scrollTop || n.y + n.height > box.scrollTop + box.clientHeight)) box.scrollTop = n.y - box.clientHeight / 3;
	}

	pick.value = thread ?? "";
	context.title(visible(agent.name), visible(String(agent.description ?? "").slice(0, 200)));
	context.tools(barButton("back", "All agents", () => context.navigate("#/agents")));
	host.replaceChildren(
		h(
			"div.toolbar",
			thread ? field("Thread", pick) : null,
			thread ? h("a", { href: `#/t/${encode(thread)}` }, "Open it") : null,
			h("label.inline", fit, "Fit"),
		),
		now,
		box,
		folded("As text", () => el, d.nodes.length <= 24),
	);
	if (thread) await watch(thread, d, context, tell).catch((e) => signal.aborted || now.replaceChildren(String(e.message)));
}

export async function show(host, [id, thread], context) {
	if (!id) {
		if (context.agents.length > 0) return list(host, context);
		return host.replaceChildren(emptyState("graph", "No agents", "Agents are files in the folder that the setting agents names."));
	}
	const agent = context.agents.find((a) => a.assistant_id === id || a.graph_id === id) ?? (await context.wire.call("GET", `/assistants/${encode(id)}`));
	await one(host, agent, thread, context);
}
