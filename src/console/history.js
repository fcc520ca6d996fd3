// history.js - the checkpoints of a thread: look at one, go on from it, run it again.
import { actions, button, h, icon, pretty } from "./dom.js";
import { codeBlock } from "./markdown.js";
import * as wire from "./wire.js";

const PAGE = 50;

const nothing = "Nothing has happened here yet.";
const sources = { input: "Input", loop: "Step", update: "Update", fork: "Fork" };

export const idOf = (s) => s.checkpoint.checkpoint_id;

// The checkpoints from the newest back to the first, along the parents, without values.
export async function lineOf(thread) {
	const line = [];
	let want;
	let before;
	for (;;) {
		const page = await wire.history(thread, 1000, before);
		for (const s of page) {
			if (want !== undefined && idOf(s) !== want) continue;
			line.push(s);
			want = s.parent_checkpoint?.checkpoint_id ?? null;
		}
		if (page.length < 1000 || want === null) return line;
		before = page.at(-1).checkpoint;
	}
}

// The newest checkpoint in which message `id` is not there yet; null: there is none.
// Messages only become more along the line, so the place is found by halving it.
export async function checkpointOf(thread, id) {
	const line = await lineOf(thread);
	const has = async (i) => ((await wire.stateAt(thread, idOf(line[i]))).values?.messages ?? []).some((m) => m.id === id);
	let low = 0;
	let high = line.length; // line[i < low] has it, line[i >= high] has not
	while (low < high) {
		const middle = (low + high) >> 1;
		if (await has(middle)) low = middle + 1;
		else high = middle;
	}
	return line[low] ?? null;
}

// The panel: a list of checkpoints, and the values of the one that is looked at.
export class HistoryPanel {
	constructor(box, on) {
		this.box = box; // on: { view(state), fork(state), replay(state), latest() }
		this.on = on;
	}

	async load(thread) {
		this.thread = thread;
		this.states = [];
		this.viewed = null;
		await this.more();
	}

	async more() {
		const thread = this.thread;
		try {
			const page = await wire.history(thread, PAGE, this.states.at(-1)?.checkpoint);
			if (thread !== this.thread) return;
			this.states.push(...page);
			this.whole = page.length < PAGE;
			this.show();
		} catch (e) {
			if (thread === this.thread) this.box.replaceChildren(h("p.quiet", e.status === 404 ? nothing : e.message));
		}
	}

	show() {
		if (this.states.length === 0) return this.box.replaceChildren(h("p.quiet", nothing));
		this.box.replaceChildren(
			h("ol.checkpoints", this.states.map((s, i) => this.row(s, i))),
			this.whole ? "" : button("Show earlier checkpoints", () => this.more(), "plain"),
		);
	}

	row(s, i) {
		const id = idOf(s);
		const open = id === this.viewed?.id;
		const m = s.metadata ?? {};
		const next = s.next ?? [];
		const after = next.length > 0 ? `next: ${next.join(", ")}` : "nothing left to do";
		const branch = this.states[i - 1] && this.states[i - 1].parent_checkpoint?.checkpoint_id !== id;
		const head = [
			h("span.node"),
			h(
				"span.checkpoint-name",
				m.source === "input" ? "Input" : `${sources[m.source] ?? "Step"} ${m.step ?? ""}`,
				branch ? h("span.tag", "branch") : null,
				i === 0 ? h("span.tag", "newest") : null,
			),
			h("span.checkpoint-when", new Date(s.created_at).toLocaleTimeString()),
			h("span.checkpoint-next", next.includes("__start__") ? "before it was taken" : after),
		];
		return h(
			"li", { class: open ? "open" : null },
			button(head, () => this.view(s), "checkpoint", { "aria-expanded": String(open) }),
			open ? this.body(this.viewed.state, next.length > 0) : null,
		);
	}

	body(state, canGoOn) {
		const fork = button([icon("fork"), "Go on from here"], () => this.on.fork(state));
		const again = canGoOn ? button([icon("again"), "Run again"], () => this.on.replay(state)) : null;
		const values = h("details.card", h("summary", "Values", icon("chevron")), codeBlock(pretty(state.values), "json"));
		return h("div.checkpoint-body", actions(fork, again), values);
	}

	async view(s) {
		const id = idOf(s);
		if (this.viewed?.id === id) {
			this.close();
			return;
		}
		const state = await wire.stateAt(this.thread, id);
		this.viewed = { id, state };
		this.show();
		this.box.querySelector("li.open .checkpoint")?.focus();
		this.on.view(state);
	}

	close() {
		const id = this.viewed?.id;
		this.viewed = null;
		this.show();
		if (id) this.box.querySelectorAll(".checkpoint")[this.states.findIndex((s) => idOf(s) === id)]?.focus();
		this.on.latest();
	}
}
