// usage.js - what models took, in tokens and money, and what the caller may have.
import { encode, h, visible } from "./dom.js";
import { bars, legend } from "./figures.js";
import { button, card, count, errorState, field, money, name, number, percent, table } from "./parts.js";

const PAGE = 400;
const groups = { day: "Day", model: "Model", thread: "Thread", run: "Run", owner: "Owner" };
const kinds = ["Input", "From the cache", "Output"];
const quotas = { runs: "Runs pending or running", threads: "Threads", "store-items": "Items of the store", "store-bytes": "Bytes of the store", agents: "Agents", crons: "Crons" };

const day = (back) => new Date(Date.now() - back * 86400e3).toISOString().slice(0, 10);
const parts = (g) => [g.input_tokens - g.cached_tokens, g.cached_tokens, g.output_tokens];

function keyOf(g, by) {
	if (by === "run") return String(g.run_id);
	if (by === "thread") return String(g.thread_id);
	return visible(String(g[by] ?? "?"));
}

function cellOf(g, by, pick) {
	if (by === "owner") return button(name(g.owner), () => pick(g.owner), "plain");
	if (by === "thread" || by === "run") return h("a", { href: `#/t/${encode(g.thread_id)}` }, keyOf(g, by));
	return name(keyOf(g, by));
}

// Days without a call have a bar of nothing.
function withGaps(all, from, to) {
	const by = new Map(all.map((g) => [g.day, g]));
	const none = { input_tokens: 0, cached_tokens: 0, output_tokens: 0, cost: 0, calls: 0 };
	const rows = [];
	for (let t = Date.parse(from); t <= Date.parse(to) && rows.length < 400; t += 86400e3) {
		const d = new Date(t).toISOString().slice(0, 10);
		rows.push(by.get(d) ?? { ...none, day: d });
	}
	return rows;
}

function figures(all, by, from, to) {
	const rows = by === "day" ? withGaps(all, from, to) : [...all].sort((a, b) => b.cost - a.cost || b.output_tokens - a.output_tokens).slice(0, 20);
	const label = (g) => (by === "day" ? g.day.slice(5) : by === "thread" || by === "run" ? `\u2026${keyOf(g, by).slice(-6)}` : keyOf(g, by));
	const tip = (g) => `${keyOf(g, by)}: ${number(g.calls)} calls, ${number(g.input_tokens)} tokens in, ${number(g.output_tokens)} out, ${money(g.cost)}`;
	const tokens = rows.map((g) => ({ name: label(g), parts: parts(g), tip: tip(g) }));
	const costs = rows.map((g) => ({ name: label(g), parts: [g.cost], tip: tip(g) }));
	const per = groups[by].toLowerCase();
	return h(
		"div.pair",
		card("Tokens", legend(kinds), bars(tokens, `Tokens a ${per}`)),
		card("Cost in US dollars", bars(costs, `Cost a ${per}`)),
	);
}

const big = (label, text, note) => h("div.big", h("span.quiet", label), h("strong", text), h("span.quiet", note ?? ""));

function totals(t) {
	const cached = t.input_tokens > 0 ? `${percent(t.cached_tokens / t.input_tokens)} from a cache` : "";
	return h("div.bigs", big("Cost", money(t.cost)), big("Calls", number(t.calls)), big("Tokens in", number(t.input_tokens), cached), big("Tokens out", number(t.output_tokens), t.reasoning_tokens > 0 ? `${number(t.reasoning_tokens)} of thoughts` : ""));
}

function quotaView(quota) {
	const row = ([key, q]) => {
		const part = q.limit ? q.used / q.limit : 0;
		const said = q.limit ? `${number(q.used)} of ${number(q.limit)}` : `${number(q.used)}, no limit`;
		const meter = q.limit ? h("progress", { max: String(q.limit), value: String(Math.min(q.used, q.limit)), class: part >= 0.9 ? "full" : null, "aria-label": quotas[key] ?? key }) : null;
		return h("li", h("span", quotas[key] ?? visible(key)), h("span.quiet", said), meter);
	};
	return h("ul.quotas", Object.entries(quota).map(row));
}

export async function show(host, rest, context) {
	const { wire, signal } = context;
	const now = { by: "day", from: day(29), to: day(0), owner: rest[0] ?? "" };
	const body = h("div.stack");
	const pick = (owner) => context.navigate(`#/usage/${encode(owner)}`);

	async function load() {
		const owner = now.owner ? `&owner=${encode(now.owner)}` : "";
		const range = `&from=${now.from}&to=${now.to}`;
		const which = { ...now };
		try {
			const [usage, quota] = await Promise.all([
				wire.call("GET", `/usage?group_by=${now.by}&limit=${PAGE}${range}${now.by === "owner" ? "" : owner}`, undefined, { signal }),
				wire.call("GET", `/quota?${owner.slice(1)}`, undefined, { signal }),
			]);
			if (JSON.stringify(which) !== JSON.stringify(now)) return;
			draw(usage, quota);
		} catch (e) {
			if (!signal.aborted) body.replaceChildren(errorState(e, load));
		}
	}

	function draw({ total, groups: all }, quota) {
		const columns = [
			[groups[now.by], (g) => cellOf(g, now.by, pick)],
			count("Calls", "calls"),
			count("Tokens in", "input_tokens"),
			count("From the cache", "cached_tokens"),
			count("Tokens out", "output_tokens"),
			["Cost", (g) => money(g.cost), "end"],
		];
		const cut = all.length === PAGE ? h("p.quiet", `The first ${PAGE}.`) : null;
		body.replaceChildren(
			totals(total),
			...(all.length > 0 ? [figures(all, now.by, now.from, now.to)] : []),
			card(`By ${groups[now.by].toLowerCase()}`, table(columns, all, { label: "Usage", empty: "No model was called in this time." }), cut),
			card("Quota", quotaView(quota)),
		);
	}

	const set = (key) => (e) => {
		if (e.target.value === "") return;
		now[key] = e.target.value;
		load();
	};
	const me = await wire.whoami().catch(() => ({}));
	const operator = !me.auth || (me.scopes ?? []).includes("admin");
	const choice = Object.entries(groups).filter(([k]) => k !== "owner" || (operator && !now.owner));
	const by = h("select", { onchange: set("by") }, choice.map(([k, t]) => h("option", { value: k }, t)));
	const date = (key) => h("input", { type: "date", value: now[key], onchange: set(key) });
	const whose = now.owner ? h("p.owner", "Owner ", name(now.owner), " ", h("a", { href: "#/usage" }, "Show mine")) : null;
	host.replaceChildren(h("div.toolbar", field("By", by), field("From", date("from")), field("To", date("to")), whose), body);
	await load();
}
