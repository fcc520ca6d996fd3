// reports.js - benchmarks' reports (docs/benchmarking.md, `--json FILE`), read from files that
// the person chooses: nothing is sent.  One is shown whole, two side by side.
import { h, say, visible } from "./dom.js";
import { lines } from "./figures.js";
import { card, emptyState, facts, folded, name, table, tag } from "./parts.js";

const MOST = 20e6;
const digits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const number = (n) => (Number.isFinite(n) ? digits.format(n) : "\u2013");
const verdicts = { better: "good", worse: "bad", same: "", unclear: "warn" };

const isObject = (x) => typeof x === "object" && x !== null && !Array.isArray(x);
const arrayOf = (x) => (Array.isArray(x) ? x.filter(isObject) : []);
const text = (x, n = 200) => visible(String(x ?? "").slice(0, n));

// ---- reading ----

// { file, about, elements, changes } of a workload's result, a suite's, or of what
// `bench compare --json` gives.
export function read(file, root) {
	if (Array.isArray(root)) {
		const changes = arrayOf(root).filter((c) => typeof c.metric === "string");
		if (changes.length === 0) throw new Error("it has no changes of metrics");
		return { file, about: {}, elements: [], changes };
	}
	const elements = isObject(root) && Array.isArray(root.results) ? arrayOf(root.results) : [root];
	if (!isObject(root) || !elements.every((e) => e.id ?? e.workload)) throw new Error("it is no report of cohort bench");
	return { file, about: root, elements, changes: elements.flatMap((e) => arrayOf(e.changes)) };
}

const idOf = (e) => text(e.id ?? e.workload, 60);

// The figures of an element: what has a target first, then the other members of its result.
function figuresOf(e) {
	const targets = new Map(arrayOf(e.targets).map((t) => [t.key, t]));
	const values = { ...(isObject(e.values) ? e.values : {}), ...(isObject(e.result) ? e.result : {}) };
	const keys = [...targets.keys(), ...Object.keys(values).filter((k) => !targets.has(k) && typeof values[k] === "number")];
	return keys.map((key) => {
		const t = targets.get(key) ?? {};
		return { key, value: t.value ?? values[key], unit: t.unit ?? "", spread: isObject(e.spread) ? e.spread[key] : undefined, target: t };
	});
}

// ---- one report ----

const range = (f) => (f.spread ? `${number(f.spread.low)} to ${number(f.spread.high)}` : "");
const measured = (f) => [number(f.value), " ", h("span.quiet", text(f.unit, 20))];

function met(t) {
	const out = [];
	if (typeof t.met === "boolean") out.push(tag(t.met ? "met" : "missed", t.met ? "good" : "bad"), ` ${number(t.ours)}`);
	if (t.grade) out.push(" ", tag(text(t.grade, 30)));
	if (t.few_samples) out.push(" ", tag("few samples", "warn"));
	return out;
}

function changesView(changes) {
	const percent = (x) => (typeof x === "number" ? `${x > 0 ? "+" : ""}${x.toFixed(1)} %` : "");
	return table(
		[
			["Metric", (c) => h("code", text(c.metric))],
			["Before", (c) => number(c.baseline), "end"],
			["Now", (c) => number(c.current), "end"],
			["Change", (c) => percent(c.change_percent), "end"],
			["Interval", (c) => `${percent(c.low_percent)} to ${percent(c.high_percent)}`],
			["Pairs", (c) => number(c.pairs), "end"],
			["Verdict", (c) => tag(text(c.verdict, 20), verdicts[c.verdict] ?? "")],
		],
		changes.slice(0, 500),
		{ label: "Changes" },
	);
}

function times(e) {
	const columns = ["p50", "p90", "p95", "p99", "p99_9", "max"].map((k) => [k.replace("_", "."), (m) => number(m[k]), "end"]);
	const what = (m) => h("code", text(m.name), m.operation ? ` ${text(m.operation)}` : "");
	return table([["Times in ms", what], ["Count", (m) => number(m.count), "end"], ...columns, ["Errors", (m) => (m.errors > 0 ? tag(number(m.errors), "bad") : "0"), "end"]], arrayOf(e.metrics).slice(0, 200), { label: "Times" });
}

const pointsOf = (x) => (Array.isArray(x.points) ? x.points.filter((p) => Array.isArray(p)).slice(0, 5000) : []);

// How the values of a histogram add up.
const spreadOf = (m) => {
	let n = 0;
	const all = Array.isArray(m.buckets) ? m.buckets.filter((b) => Array.isArray(b)) : [];
	return all.slice(0, 5000).map(([ms, count]) => [ms, ((n += count) / m.count) * 100]);
};

function plots(elements, names) {
	const seen = new Map();
	const add = (key, axes, name, points) => {
		if (points.length < 2) return;
		if (!seen.has(key)) seen.set(key, { axes, sets: [] });
		seen.get(key).sets.push({ name, points });
	};
	elements.forEach((e, i) => {
		for (const x of arrayOf(e.series)) add(text(x.name, 80), { x: text(x.x, 30), y: text(x.y, 30), log: x.log === true && "both" }, names[i], pointsOf(x));
		for (const m of arrayOf(e.metrics).slice(0, 4)) add(`${text(m.name, 60)} ${text(m.operation, 40)}`, { x: "ms", y: "% at most", log: "x" }, names[i], spreadOf(m));
	});
	const draw = ([title, p]) => {
		const figure = lines(p.sets, p.axes, title);
		return figure && h("div", h("h4", title), figure);
	};
	const drawn = [...seen].slice(0, 12).map(draw).filter(Boolean);
	return drawn.length > 0 ? h("div.plots", drawn) : null;
}

function checks(e) {
	const all = arrayOf(e.checks);
	if (all.length === 0) return null;
	return h("ul.checks", all.slice(0, 200).map((c) => h("li", tag(c.passed ? "passed" : "failed", c.passed ? "good" : "bad"), " ", text(c.check, 400))));
}

function element(e) {
	const state = e.state && e.state !== "measured" ? tag(text(e.state, 30), "warn") : tag(e.passed ? "passed" : "failed", e.passed ? "good" : "bad");
	const columns = [
		["Figure", (f) => h("code", text(f.key))],
		[e.repeat > 1 ? `Median of ${e.repeat}` : "Value", measured, "end"],
		["Spread", range],
		["Target", (f) => met(f.target)],
	];
	return card(
		h("span.said-head", idOf(e), e.title ? h("span.quiet", text(e.title)) : null, state),
		e.why ? h("p.wrong", text(e.why, 600)) : null,
		e.measures ? h("p.help", "Measures ", text(e.measures, 600), e.does_not_measure ? ["; does not measure ", text(e.does_not_measure, 600)] : null) : null,
		figuresOf(e).length > 0 ? table(columns, figuresOf(e).slice(0, 300), { label: `Figures of ${idOf(e)}` }) : null,
		arrayOf(e.metrics).length > 0 ? times(e) : null,
		plots([e], [idOf(e)]),
		checks(e),
		e.command ? folded("Command", () => h("pre.plain-text", text(e.command, 4000))) : null,
	);
}

function about(r) {
	const a = r.about;
	const m = isObject(a.machine) ? a.machine : {};
	const worse = r.changes.filter((c) => c.verdict === "worse").length;
	const machine = m.cpu ? `${text(m.cpu, 60)}, ${number(m.cores)} cores, ${number(m.memory_mb)} MB, ${text(m.os, 60)}` : null;
	return card(
		h("span.said-head", name(r.file), typeof a.passed === "boolean" ? tag(a.passed ? "passed" : "failed", a.passed ? "good" : "bad") : null, r.changes.length > 0 ? tag(worse > 0 ? `${worse} worse` : "nothing worse", worse > 0 ? "bad" : "good") : null),
		facts([["What", a.suite ?? a.workload ? text(a.suite ?? a.workload) : null], ["Version", a.version && `${text(a.version, 40)} (${text(a.commit, 40)})`], ["When", a.date && new Date(a.date).toLocaleString()], ["Machine", machine], ["Against", isObject(a.baseline) ? `${text(a.baseline.name, 60)} ${text(a.baseline.version, 40)} (${text(a.baseline.commit, 40)})` : null]]),
	);
}

const whole = (r) => [about(r), r.changes.length > 0 ? card("Changes", changesView(r.changes)) : null, r.elements.slice(0, 100).map(element)];

// ---- two reports ----

// Two files were not measured in turns, so there is no verdict: only whether what was seen in
// one lies apart from what was seen in the other.
function apart(a, b) {
	if (!a?.spread || !b?.spread) return "";
	return a.spread.low > b.spread.high || b.spread.low > a.spread.high ? tag("apart", "accent") : tag("overlap");
}

function both(a, b) {
	const others = new Map(b.elements.map((e) => [idOf(e), e]));
	const pairs = a.elements.filter((e) => others.has(idOf(e))).map((e) => [e, others.get(idOf(e))]);
	const one = ([x, y]) => {
		const there = new Map(figuresOf(y).map((f) => [f.key, f]));
		const rows = figuresOf(x).filter((f) => there.has(f.key)).map((f) => ({ f, g: there.get(f.key) }));
		const change = ({ f, g }) => (f.value ? `${g.value >= f.value ? "+" : ""}${((g.value / f.value - 1) * 100).toFixed(1)} %` : "");
		const side = (f) => [measured(f), range(f) ? h("p.help", range(f)) : null];
		const columns = [
			["Figure", (r) => h("code", text(r.f.key))],
			[text(a.file, 40), (r) => side(r.f), "end"],
			[text(b.file, 40), (r) => side(r.g), "end"],
			["Difference", change, "end"],
			["Spreads", (r) => apart(r.f, r.g)],
		];
		return card(h("span.said-head", idOf(x), x.title ? h("span.quiet", text(x.title)) : null), table(columns, rows.slice(0, 300), { label: `${idOf(x)} of both` }), plots([x, y], [text(a.file, 40), text(b.file, 40)]));
	};
	const none = emptyState("gauge", "They have nothing in common", "No workload is in both reports.");
	return [h("div.pair", about(a), about(b)), h("p.help", "Two files were not measured in turns: for a verdict use cohort bench compare."), pairs.length > 0 ? pairs.map(one) : none];
}

// ---- the view ----

export function show(host, rest, context) {
	const reports = [];
	const body = h("div.stack");
	const list = h("ul.files", { "aria-label": "Reports" });
	const wrong = h("p.wrong", { role: "alert" });
	const input = h("input", { type: "file", multiple: true, accept: ".json,application/json", "aria-label": "Open reports", onchange: () => open([...input.files]) });
	const zone = h("div.drop", h("p", "Open reports that cohort bench wrote with --json, or drop them here. They stay in this browser."), input);
	host.addEventListener("dragover", (e) => {
		e.preventDefault();
		zone.classList.add("over");
	});
	host.addEventListener("dragleave", () => zone.classList.remove("over"));
	host.addEventListener("drop", (e) => {
		e.preventDefault();
		zone.classList.remove("over");
		open([...e.dataTransfer.files]);
	});

	async function open(files) {
		wrong.textContent = "";
		for (const file of files.slice(0, 20)) {
			try {
				if (file.size > MOST) throw new Error("it is larger than 20 MB");
				const r = read(file.name, JSON.parse(await file.text()));
				for (const other of reports) other.chosen = false;
				reports.push(Object.assign(r, { chosen: true }));
			} catch (e) {
				wrong.append(`${text(file.name, 100)}: ${text(e.message, 200)}. `);
			}
		}
		if (files.length > 1) for (const r of reports.slice(-2)) r.chosen = true;
		input.value = "";
		draw();
	}

	function choose(r, yes) {
		const chosen = reports.filter((x) => x.chosen && x !== r);
		if (yes && chosen.length > 1) chosen[0].chosen = false;
		r.chosen = yes;
		draw();
	}

	function draw() {
		const chosen = reports.filter((r) => r.chosen);
		const row = (r) => h("li", h("label.choice", h("input", { type: "checkbox", checked: r.chosen, onchange: (e) => choose(r, e.target.checked) }), name(r.file)));
		const focus = [...list.querySelectorAll("input")].indexOf(document.activeElement);
		list.replaceChildren(...reports.map(row));
		list.querySelectorAll("input")[focus]?.focus();
		const shown = chosen.length === 2 ? both(...chosen) : chosen.length === 1 ? whole(chosen[0]) : [];
		body.replaceChildren(...shown.flat(Infinity).filter(Boolean));
		context.title("Reports", chosen.map((r) => text(r.file, 60)).join(" and "));
		say(chosen.length > 0 ? `${chosen.map((r) => r.file).join(" and ")} shown` : "");
	}

	host.replaceChildren(zone, wrong, list, body);
}
