// compare.js - two threads, or parts of them, side by side: their entries aligned, where they
// part, their final states by field, what each took.  #/runs/compare/A/B; A, B: THREAD,
// THREAD@RUN, or THREAD@RUN:SEQ, what is behind that entry.
import { encode, h, visible } from "./dom.js";
import * as parts from "./parts.js";
import { entriesAt, lineOf } from "./transcript.js";

const { button, card, duration, folded, json, jsonFold, money, number, table, tag } = parts;
const MOST = 1000; // entries of a side
const ROWS = 300;
// What two runs never have in common.
const own = new Set(["seq", "run_id", "time", "task", "call", "call_id", "checkpoint_id", "checkpoint", "id", "tool_call_id", "interrupt_id", "key", "as_before", "took", "response_metadata", "usage_metadata"]);
const numbering = ["run_start", "checkpoint"];
const isObject = (x) => typeof x === "object" && x !== null;

const bare = (x) => JSON.stringify(x, (k, v) => (own.has(k) ? undefined : v));
const keyOf = (e) => [e.kind, e.ns, e.node, e.state ?? e.name ?? e.event ?? e.of].join(" ");

// [[path, a, b]] of the fields in which two values differ.
export function differences(a, b, path = "", out = []) {
	if (bare(a) === bare(b) || out.length >= ROWS) return out;
	if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) out.push([path, a, b]);
	else for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) if (!own.has(k)) differences(a[k], b[k], Array.isArray(a) ? `${path}[${k}]` : path ? `${path}.${k}` : k, out);
	return out;
}

// The longest common sequence of keys: [[a or null, b or null]] in their order.
export function align(a, b) {
	const [x, y] = [a.map(keyOf), b.map(keyOf)];
	const wide = y.length + 1;
	const best = new Uint16Array((x.length + 1) * wide);
	for (let i = x.length - 1; i >= 0; i--)
		for (let j = y.length - 1; j >= 0; j--) best[i * wide + j] = x[i] === y[j] ? best[(i + 1) * wide + j + 1] + 1 : Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
	const rows = [];
	for (let i = 0, j = 0; i < x.length || j < y.length; ) {
		if (i < x.length && j < y.length && x[i] === y[j]) rows.push([a[i++], b[j++]]);
		else if (j >= y.length || (i < x.length && best[(i + 1) * wide + j] >= best[i * wide + j + 1])) rows.push([a[i++], null]);
		else rows.push([null, b[j++]]);
	}
	return rows;
}

async function sideOf(text, context) {
	const [thread, where = ""] = text.split("@");
	const [run, seq] = where.split(":");
	const { wire, signal } = context;
	const entries = [];
	for (let after = seq ? where : "", got = [0]; got.length > 0 && entries.length < MOST; after = `${entries.at(-1)?.run_id}:${entries.at(-1)?.seq}`) {
		got = await entriesAt(context, thread, seq ? "" : run, after);
		entries.push(...got);
	}
	const by = run ? `run&limit=400` : "thread";
	const usage = await wire.call("GET", `/usage?group_by=${by}&thread_id=${encode(thread)}`, undefined, { signal }).catch(() => null);
	const used = usage && { ...usage.total, ...(run ? usage.groups.find((g) => g.run_id === run) : {}) };
	const last = run && !seq ? entries.findLast((e) => e.kind === "checkpoint" && !e.ns) : null;
	const state = await (last ? wire.stateAt(thread, last.checkpoint_id) : wire.state(thread)).catch(() => null);
	let [ms, begun] = [0, null];
	for (const e of entries) {
		if (e.kind === "run_start" || begun === null) begun = Date.parse(e.time);
		if (e.kind === "run_end") ms += Date.parse(e.time) - begun;
	}
	const live = (await wire.runs(thread).catch(() => [])).some((r) => ["pending", "running"].includes(r.status));
	return { text, thread, used, state, ms, live, n: entries.length, entries: entries.slice(0, MOST).filter((e) => !numbering.includes(e.kind)) };
}

function took(sides) {
	const of = (f) => sides.map((s) => (s.used ? f(s.used) : ""));
	const rows = [
		["Calls of models", ...of((u) => number(u.calls))],
		["Tokens in", ...of((u) => number(u.input_tokens))],
		["Tokens out", ...of((u) => number(u.output_tokens))],
		["Cost", ...of((u) => money(u.cost))],
		["Time of runs", ...sides.map((s) => duration(s.ms))],
		["Entries", ...sides.map((s) => `${number(s.n)}${s.n >= MOST ? ", the first" : ""}`)],
	];
	const link = (s) => h("a", { href: `#/runs/${encode(s.thread)}` }, visible(`\u2026${s.thread.slice(-12)}`));
	return table([["", (r) => r[0]], [link(sides[0]), (r) => r[1], "end"], [link(sides[1]), (r) => r[2], "end"]], rows, { label: "What they took" });
}

function draw(host, sides) {
	const [a, b] = sides;
	const all = align(a.entries, b.entries).map(([x, y]) => ({ x, y, same: Boolean(x && y) && bare(x) === bare(y) }));
	const first = all.findIndex((r) => !r.same);
	const from = Math.max(0, first - 20);
	const cell = (e) => (e ? folded(lineOf(e), () => json(e, "entry")) : h("p.quiet.gone", "\u2013"));
	const row = (r, i) => h("li", { class: r.same ? "pair-row" : "pair-row differs", id: i === first ? "first-difference" : null }, i === first ? h("strong.first", "First difference") : null, cell(r.x), cell(r.y));
	const list = h("ol.compared");
	let at = from;
	const more = button("Show more", () => {
		list.append(...all.slice(at, at + ROWS).map((r, i) => row(r, at + i)));
		at += ROWS;
		more.hidden = at >= all.length;
	}, "plain wide");
	more.click();
	const fields = differences(a.state?.values ?? {}, b.state?.values ?? {});
	const said = (v) => (v === undefined ? h("span.quiet", "not there") : jsonFold(v, 60) === jsonFold(v, 1e4) ? h("code", jsonFold(v, 60)) : folded(h("span.brief", jsonFold(v, 60)), () => json(v, "value")));
	const columns = [["Field", (f) => h("code", visible(f[0].slice(0, 200)))], ["First", (f) => said(f[1])], ["Second", (f) => said(f[2])]];
	const differ = all.filter((r) => !r.same).length;
	host.replaceChildren(
		h("p", { class: first < 0 ? "verdict good" : "verdict bad", role: "status" }, h("strong", first < 0 ? "They went the same way" : `They part at entry ${number(first + 1)}`), h("span", `${number(differ)} of ${number(all.length)} entries differ, ${number(fields.length)} fields of the states`), sides.some((s) => s.live) ? tag("goes on", "accent") : null),
		card("What they took", took(sides)),
		card("Final states", table(columns, fields, { label: "Final states", empty: "They are the same." })),
		card("Entries", from > 0 ? h("p.quiet", `The first ${number(from)} are the same.`) : null, list, more),
	);
}

export async function show(host, [a = "", b = ""], context) {
	let seen = "";
	context.title("Compare", "Ids, times and names of calls do not count");
	await parts.poll(context, 2000, async () => {
		if (seen && !seen.includes('"live":true')) return;
		const sides = await Promise.all([sideOf(a, context), sideOf(b, context)]);
		const text = JSON.stringify(sides.map(({ n, live, ms, used }) => ({ n, live, ms, used })));
		if (text !== seen && !host.contains(document.activeElement)) draw(host, sides);
		seen = text;
	});
}
