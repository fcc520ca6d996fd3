// transcript.js - what the runs of a thread did, as a timeline; replayed step by step with the
// state of the checkpoint before each entry; forked there.  #/runs[/THREAD[/RUN]]
import { dialog, encode, h, prompt, visible } from "./dom.js";
import * as parts from "./parts.js";

const { actions, barButton, button, card, duration, emptyState, field, folded, form, json, jsonFold, money, name, number, select, status, tag, time } = parts;
const PAGE = 250; // entries that are shown
const READ = 500; // entries of a request
const SCAN = 20; // requests for one page of a filter
const active = ["pending", "running"];
export const groups = { run: "Runs", state: "States", model: "Models", tool: "Tools", data: "Messages and data", question: "Questions", checkpoint: "Checkpoints", error: "Errors" };

const calls = (m) => (m?.tool_calls ?? []).map((c) => c.name).join(", ");

// kind: [group, title, what a line says of it]
const kinds = {
	run_start: ["run", "Run", (e) => `${e.graph_id ?? ""}, attempt ${e.attempt}`],
	run_end: ["run", "End", (e) => e.status],
	input: ["data", "Input", (e) => e.input],
	result: ["data", "Result", (e) => `${e.of ?? ""} ${e.what ?? ""}`],
	message: ["data", "Message", (e) => e.message ?? e.what],
	"event-dropped": ["data", "Event dropped", (e) => `${e.event}: ${e.why}`],
	entered: ["state", "Entered", (e) => e.state],
	exited: ["state", "Left", (e) => e.state],
	transition: ["state", "Transition", (e) => `${e.event ?? ""}: ${e.from} \u2192 ${e.to ?? ""}`],
	timer: ["state", "Timer", (e) => e.event ?? e.what],
	request: ["model", "Asked", (e) => [e.model, (e.params?.tools ?? []).length > 0 ? `with ${e.params.tools.length} tools` : ""].filter(Boolean).join(" ") || "a model"],
	answer: ["model", "Answered", (e) => (e.error ? `${e.error}: ${e.words ?? ""}` : e.message?.content || `calls ${calls(e.message)}`)],
	tool_call: ["tool", "Tool", (e) => [e.name, e.args]],
	tool_result: ["tool", "Tool said", (e) => [e.name, e.content]],
	interrupt: ["question", "Question", (e) => e.value ?? "a breakpoint"],
	resumed: ["question", "Answer", (e) => e.command ?? e.resume],
	checkpoint: ["checkpoint", "Checkpoint", (e) => `${e.source} ${e.step ?? ""}`],
	error: ["error", "Error", (e) => `${e.name ?? e.event ?? ""}: ${e.message ?? ""}`],
	cut: ["error", "Missing", (e) => e.why],
};
const kindOf = (e) => kinds[e.kind] ?? ["data", String(e.kind), () => ""];
const isBad = (e) => e.kind === "error" || e.kind === "cut" || e.ok === false || Boolean(e.error) || e.status === "error";
const tokens = (u) => u && `${number(u.input_tokens)} + ${number(u.output_tokens)} tokens`;

// One entry as a line; took: ms since what it answers.
export function lineOf(e) {
	const [group, title, say] = kindOf(e);
	const words = [say(e)].flat().map((w) => jsonFold(w ?? "", 200)).join(" ");
	return h(
		"span.said-head",
		tag(visible(title.slice(0, 40)), isBad(e) ? "bad" : { model: "accent", question: "warn" }[group]),
		e.ns ? h("code.quiet", jsonFold(String(e.ns), 40)) : null,
		h("span.entry-words", { dir: "auto" }, words),
		h("span.quiet", [tokens(e.message?.usage_metadata), duration(e.took)].filter(Boolean).join(", ")),
	);
}

export const entriesAt = ({ wire, signal }, thread, run, after, limit = READ) =>
	wire.call("GET", `/threads/${encode(thread)}/transcript?limit=${limit}${run ? `&run_id=${encode(run)}` : ""}${after ? `&after=${encode(after)}` : ""}`, undefined, { signal });
export const placeOf = (e) => `${e.run_id}:${e.seq}`;

class Timeline {
	constructor(host, context, thread, run) {
		Object.assign(this, { host, context, thread, run, wanted: new Set(), states: new Map(), pages: [{}], page: 0 });
		this.list = h("ol.entries", { "aria-label": "Entries", onkeydown: (e) => this.key(e) });
		this.slider = h("input", { type: "range", min: "0", "aria-label": "Entry", oninput: () => this.go(Number(this.slider.value)) });
		this.where = h("span.quiet", { role: "status" });
		this.side = h("div.stack");
		this.runs = h("div.control");
		this.foot = h("div.actions");
		const filters = Object.entries(groups).map(([k, text]) => {
			const b = button(text, () => this.filter(k, b), "chip", { "aria-pressed": "false" });
			return b;
		});
		const step = (n, icon, text) => parts.iconButton(icon, text, () => this.step(n));
		host.replaceChildren(
			h("div.toolbar", this.runs, h("div.chips", { role: "group", "aria-label": "Only" }, filters)),
			h("div.replay", step(-1, "back", "Step back"), this.slider, step(1, "chevron", "Step forward"), this.where),
			h("div.pair.wide-first", h("div.stack", this.list, this.foot), this.side),
		);
		context.tools(barButton("compare", "Compare with\u2026", () => this.compare()));
	}

	async start() {
		await this.about();
		await this.load();
		await parts.poll(this.context, 1500, () => this.more());
	}

	// The runs of the thread, and what they took.
	async about() {
		const { wire, signal } = this.context;
		const at = `/threads/${encode(this.thread)}`;
		const [runs, usage] = await Promise.all([
			wire.call("GET", `${at}/runs?limit=100&select=run_id&select=status&select=created_at`, undefined, { signal }),
			wire.call("GET", `/usage?group_by=run&limit=400&thread_id=${encode(this.thread)}`, undefined, { signal }).catch(() => ({ groups: [] })),
		]);
		const text = JSON.stringify([runs, usage]);
		this.live = runs.some((r) => active.includes(r.status) && (!this.run || r.run_id === this.run));
		if (text === this.seen) return;
		this.seen = text;
		const names = Object.fromEntries(runs.map((r) => [r.run_id, `\u2026${r.run_id.slice(-6)} ${r.status}, ${new Date(r.created_at).toLocaleTimeString()}`]));
		const to = (e) => this.context.navigate(`#/runs/${encode(this.thread)}${e.target.value ? `/${e.target.value}` : ""}`);
		this.runs.replaceChildren(field("Run", select("Run", { "": `All ${runs.length}`, ...names }, this.run ?? "", to)));
		const used = usage.groups.filter((g) => !this.run || g.run_id === this.run);
		const sum = (k) => used.reduce((n, g) => n + g[k], 0);
		const words = [`${number(sum("calls"))} calls of models`, `${number(sum("input_tokens"))} + ${number(sum("output_tokens"))} tokens`, money(sum("cost")), this.live ? "goes on" : ""];
		this.context.title("Runs", `${visible(this.thread)}: ${words.filter(Boolean).join(", ")}`);
	}

	// Entries behind a place, with what came before them: their checkpoint, their times.
	take(entries, from) {
		for (const e of entries) {
			if (e.kind === "run_start") from.checkpoint = undefined;
			if (e.kind === "checkpoint" && !e.ns) from.checkpoint = e;
			if (e.kind === "run_start" && e.assistant_id) this.assistant = e.assistant_id;
			const pair = `${e.run_id} ${e.ns} ${e.task} ${e.call ?? ""} ${e.call_id ?? ""}`;
			if (e.kind === "request" || e.kind === "tool_call") from.begun.set(pair, Date.parse(e.time));
			if (e.kind === "answer" || e.kind === "tool_result") e.took = Date.parse(e.time) - from.begun.get(pair);
			Object.assign(e, { at: from.checkpoint });
			from.after = placeOf(e);
		}
		return entries.filter((e) => this.wanted.size === 0 || this.wanted.has(kindOf(e)[0]));
	}

	async load() {
		const turn = (this.turn = {});
		const from = { ...this.pages[this.page], begun: new Map() };
		const found = [];
		this.list.setAttribute("aria-busy", "true");
		this.whole = false; // a page may be short: the end is an empty one
		for (let n = 0; n < SCAN && found.length < PAGE && !this.whole; n++) {
			const limit = this.wanted.size > 0 ? READ : PAGE - found.length;
			const got = await entriesAt(this.context, this.thread, this.run, from.after, limit);
			if (turn !== this.turn) return;
			found.push(...this.take(got, from));
			this.whole = got.length === 0;
		}
		this.end = from;
		this.shown = found;
		this.list.removeAttribute("aria-busy");
		this.list.replaceChildren(...found.map((e, i) => this.row(e, i)));
		this.footer();
		this.go(0);
	}

	// What a run that goes on has done since.
	async more() {
		if (!this.whole) return this.live && this.about();
		const turn = this.turn;
		const got = await entriesAt(this.context, this.thread, this.run, this.end.after);
		if (turn !== this.turn) return;
		const fresh = this.take(got, this.end);
		const last = this.place === this.shown.length - 1;
		this.list.append(...fresh.map((e, i) => this.row(e, this.shown.length + i)));
		this.shown.push(...fresh);
		if (got.length > 0 || this.live) await this.about();
		if (fresh.length > 0) this.footer();
		if (fresh.length > 0) this.go(last ? this.shown.length - 1 : this.place);
	}

	footer() {
		const turn = (n) => () => {
			if (n > 0) this.pages[this.page + 1] = { after: this.end.after, checkpoint: this.end.checkpoint };
			this.page += n;
			return this.load().then(() => this.list.querySelector("summary")?.focus());
		};
		const none = this.shown.length > 0 ? null : h("p.quiet", this.whole && this.page === 0 ? "There is no such entry. Copies of a thread have no transcript of what was before." : "No such entry among these.");
		this.foot.replaceChildren(...[none, this.page > 0 ? button("Earlier entries", turn(-1)) : null, this.whole ? null : button("Later entries", turn(1))].filter(Boolean));
	}

	row(e, i) {
		const body = () => json(Object.fromEntries(Object.entries(e).filter(([k]) => !["at", "took"].includes(k))), "entry");
		const head = h("span.said-head", h("span.quiet", time(e.time)), lineOf(e));
		return h("li", { "data-kind": kindOf(e)[0], onclick: () => this.go(i), onfocusin: () => this.go(i) }, folded(head, body));
	}

	filter(kind, b) {
		if (!this.wanted.delete(kind)) this.wanted.add(kind);
		b.setAttribute("aria-pressed", String(this.wanted.has(kind)));
		this.pages = [{}];
		this.page = 0;
		return this.load();
	}

	// ---- replay ----

	key(e) {
		const n = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[e.key];
		if (!n || e.altKey || e.ctrlKey || e.metaKey) return;
		e.preventDefault();
		this.step(n);
		this.list.children[this.place]?.querySelector("summary").focus();
	}

	step(n) {
		const to = this.place + n;
		if (to >= 0 && to < this.shown.length) this.go(to, true);
	}

	go(i, scroll) {
		this.list.children[this.place]?.removeAttribute("aria-current");
		this.place = Math.max(0, Math.min(i, this.shown.length - 1));
		const li = this.list.children[this.place];
		li?.setAttribute("aria-current", "step");
		if (scroll) li?.scrollIntoView({ block: "nearest" });
		this.slider.max = String(Math.max(this.shown.length - 1, 0));
		this.slider.value = String(this.place);
		const e = this.shown[this.place];
		this.where.textContent = e ? `Entry ${number(this.place + 1)} of ${number(this.shown.length)}${this.whole && this.page === 0 ? "" : " on this page"}` : "";
		this.slider.setAttribute("aria-valuetext", e ? `${this.where.textContent}: ${kindOf(e)[1]}` : "");
		if (!e) this.side.replaceChildren();
		else if (this.told !== placeOf(e)) this.tell(e);
	}

	stateAt(id) {
		if (!this.states.has(id)) this.states.set(id, this.context.wire.stateAt(this.thread, id));
		if (this.states.size > 40) this.states.delete(this.states.keys().next().value);
		return this.states.get(id);
	}

	// The state of the checkpoint before an entry: what is between two is not stored.
	async tell(e) {
		this.told = placeOf(e);
		const id = e.at?.checkpoint_id;
		const note = (text) => h("p.quiet", text);
		const here = e.kind === "checkpoint" && !e.ns;
		const draw = (...body) => this.told === placeOf(e) && this.side.replaceChildren(card(here ? "State here" : "State before", ...body));
		if (!id) return draw(note("Only the entry is known: the run had no checkpoint yet."));
		try {
			const state = await this.stateAt(id);
			const before = state.parent_checkpoint ? await this.stateAt(state.parent_checkpoint.checkpoint_id).catch(() => null) : null;
			const values = Object.entries(state.values ?? {});
			const changed = (k, v) => before && JSON.stringify(before.values?.[k]) !== JSON.stringify(v);
			const one = ([k, v]) => folded([name(k), changed(k, v) ? tag("changed", "accent") : null, h("span.brief", jsonFold(v, 60))], () => json(v, "value"));
			draw(
				here ? null : note(`Of the checkpoint before it, entry ${e.at.seq}. ${e.ns ? "A sub-agent's own values are not in it." : "What was done since is known by the entries only."}`),
				h("p", tag(`step ${state.metadata?.step ?? ""}`), " next: ", name((state.next ?? []).join(", ") || "nothing")),
				values.length > 0 ? values.slice(0, 200).map(one) : note("No values."),
				actions(button("Fork here\u2026", () => this.fork(e))),
			);
		} catch (x) {
			draw(note(`Only the entry is known: ${x.status === 404 ? "its checkpoint is gone" : x.message}.`));
		}
	}

	// ---- fork and compare ----

	async compare() {
		const other = await prompt("Compare with another thread", "Its id", "", "Compare");
		if (other) this.context.navigate(`#/runs/compare/${encode([this.thread, this.run].filter(Boolean).join("@"))}/${encode(other)}`);
	}

	// A copy up to the checkpoint; what it is given is JSON, nothing is guessed.
	async fork(e) {
		const { wire, navigate } = this.context;
		const made = await dialog("Fork", (done) => {
			const area = (placeholder) => h("textarea", { rows: "3", spellcheck: "false", placeholder });
			const change = area("as it is");
			const input = area("none: it goes on from there");
			const wrong = h("p.wrong", { role: "alert" });
			const parse = (box, what) => {
				if (box.value.trim() === "") return undefined;
				try {
					return JSON.parse(box.value);
				} catch (x) {
					throw new Error(`${what}: ${x.message}`);
				}
			};
			const make = async (run) => {
				wrong.textContent = "";
				try {
					const [values, given] = [parse(change, "State"), parse(input, "Input")];
					const { thread_id: id } = await wire.call("POST", `/threads/${encode(this.thread)}/copy`, { checkpoint_id: e.at.checkpoint_id });
					if (values !== undefined) await wire.call("POST", `/threads/${encode(id)}/state`, { values });
					if (run) await wire.call("POST", `/threads/${encode(id)}/runs`, { assistant_id: this.assistant, input: given ?? null });
					done({ id, run });
				} catch (x) {
					wrong.textContent = x.message;
				}
			};
			return form(null, () => make(true), h("p.help", `A new thread with the history up to entry ${e.at.seq}. This one stays as it is.`), field("Change of the state (JSON)", change), field("Input (JSON)", input), wrong, actions(button("Cancel", () => done()), button("Fork only", () => make(false)), h("button.primary", "Fork and run")));
		});
		if (made) navigate(made.run ? `#/runs/compare/${encode(`${this.thread}@${placeOf(e.at)}`)}/${made.id}` : `#/runs/${made.id}`);
	}
}

// ---- which thread ----

async function choose(host, context) {
	const box = h("input", { "aria-label": "Thread", placeholder: "id of a thread", autocomplete: "off", spellcheck: "false" });
	const open = (id) => id && context.navigate(`#/runs/${encode(id)}`);
	const threads = await context.wire.threads(100);
	const first = threads.length > 0 ? await context.wire.firstWords(threads.slice(0, 100).map((t) => t.thread_id)).catch(() => []) : [];
	const words = new Map(first.map((t) => [t.thread_id, t.extracted?.first]));
	const columns = [
		["Thread", (t) => h("a", { href: `#/runs/${encode(t.thread_id)}`, dir: "auto" }, name(jsonFold(t.metadata?.title ?? words.get(t.thread_id) ?? t.thread_id, 80)))],
		["", (t) => status(t.status)],
		["Changed", (t) => parts.when(t.updated_at)],
	];
	host.replaceChildren(
		form("toolbar inline", () => open(box.value.trim()), box, h("button", "Open")),
		threads.length > 0 ? parts.table(columns, threads, { label: "The newest threads" }) : emptyState("steps", "No threads yet", "What runs do is told here, entry by entry."),
	);
}

export async function show(host, [thread, ...rest], context) {
	if (!thread) return choose(host, context);
	if (thread === "compare") return (await import("./compare.js")).show(host, rest, context);
	return new Timeline(host, context, thread, rest[0]).start();
}
