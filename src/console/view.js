// view.js - the thread that is shown: title, messages, what stands below them, and the
// message box.  draw() may be called at any time; what did not change stays as it is.
import { $, actions, button, h, icon, iconButton, visible } from "./dom.js";
import { askView } from "./ask.js";
import { ChatView } from "./chat.js";
import { field } from "./form.js";
import { codeBlock } from "./markdown.js";
import * as wire from "./wire.js";

const NEAR = 60; // pixels from the end that still count as there

export const nameOf = (agent) => visible(agent?.name || agent?.graph_id || "agent");

// Fills the box anew when its key has changed; without a key it is hidden.
function fill(id, key, make) {
	const box = $(id);
	if (box.dataset.key === key) return false;
	box.dataset.key = key;
	box.hidden = key === "";
	box.replaceChildren(...(key === "" ? [] : [].concat(make())));
	return key !== "";
}

export class View {
	stay = true; // who is at the end stays there, whatever is added or grows

	// on: { titleOf(t), edit(message, view), regenerate(message), run(t, what), answer(t, responses),
	// newThread(), now() }
	constructor(on) {
		this.on = on;
		this.box = $("conversation");
		this.box.append(h("div", { id: "empty", hidden: true }));
		this.chat = new ChatView(this.box, {
			author: (role) => (role === "human" ? "You said:" : `${nameOf(this.thread?.agent)} said:`),
			edit: on.edit,
			regenerate: on.regenerate,
			editable: true,
		});
		for (const id of ["values", "failure", "paused", "asks"]) this.box.append(h("div", { id, class: "after", hidden: true }));
		this.box.addEventListener("scroll", () => this.scrolled(), { passive: true });
		const grown = new ResizeObserver(() => (this.stay ? this.toEnd() : this.scrolled()));
		for (const box of [this.box, ...this.box.children]) grown.observe(box);
		$("latest").append(icon("down"), "Newest");
		$("latest").addEventListener("click", () => this.toEnd());
	}

	toEnd() {
		this.box.scrollTop = this.box.scrollHeight;
		this.stay = true;
	}

	scrolled() {
		this.stay = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
		$("latest").hidden = this.stay || !$("asks").hidden;
	}

	// Another conversation is shown from now on.
	reset() {
		this.chat.reset();
		this.stay = true;
	}

	// Draws before the next frame, once, however often it is asked.
	later(t) {
		this.thread = t;
		if (this.due) return;
		this.due = true;
		requestAnimationFrame(() => {
			this.due = false;
			if (this.thread) this.draw(this.thread);
		});
	}

	draw(t) {
		const c = t.viewing ?? t.conversation;
		this.thread = t;
		t.drawn = Boolean(t.conversation.run);
		this.head(t, c);
		this.banner(t);
		this.empty(t, c);
		this.chat.setEditable(!t.viewing && !c.run && !t.missing && c.interrupts.length === 0);
		this.chat.show(c);
		this.values(c);
		this.failure(t, c);
		this.paused(t, c);
		this.asks(t, c);
		this.composer(t, c);
		this.inputs(t);
	}

	head(t, c) {
		$("title").textContent = this.on.titleOf(t);
		$("subtitle").textContent = t.agent ? `${nameOf(t.agent)}${c.run && !t.viewing ? " \u00b7 running" : ""}` : "";
		for (const id of ["rename", "delete", "history-button"]) $(id).hidden = t.fresh || Boolean(t.missing);
		$("agent").value = t.agent?.assistant_id ?? "";
	}

	banner(t) {
		const key = t.viewing ? `view ${t.viewing.id}` : t.connected ? "" : "lost";
		$("banner").className = `banner ${t.viewing ? "view" : "lost"}`;
		fill("banner", key, () =>
			t.viewing
				? [icon("history"), h("span", "This is how it was at an earlier point."), button("Back to now", this.on.now)]
				: [h("span.dot.busy"), h("span", "The connection to the server is lost. Reconnecting\u2026")],
		);
	}

	empty(t, c) {
		const plain = t.fresh && !c.run && c.list().length === 0;
		const key = t.missing ?? (t.loading ? "loading" : plain ? `of ${t.agent?.assistant_id}` : "");
		fill("empty", key, () => {
			if (t.missing) return [icon("warning"), h("h3", "Nothing to show"), h("p", t.missing), button("New conversation", this.on.newThread)];
			if (t.loading) return h("p.quiet", "Loading\u2026");
			if (!t.agent) return [icon("warning"), h("h3", "No agent"), h("p", "This server has no agent that you may use.")];
			return [
				h("img", { src: "ui/icon.svg", alt: "", width: "48", height: "48" }),
				h("h3", nameOf(t.agent)),
				h("p", { dir: "auto" }, t.agent.description || "What would you like to do?"),
			];
		});
	}

	// What else the state has, for agents that do more than talk.
	values(c) {
		if (this.valued === c.values) return;
		this.valued = c.values;
		const isEmpty = (v) => v === null || (Array.isArray(v) && v.length === 0);
		const rest = Object.entries(c.values).filter(([k, v]) => k !== "messages" && !isEmpty(v));
		const text = rest.length > 0 ? JSON.stringify(Object.fromEntries(rest), null, 2) : "";
		const open = $("values").querySelector("details")?.open ?? c.messages.length === 0;
		const names = h("span.brief", rest.map(([k]) => k).join(", "));
		fill("values", text, () =>
			h(
				"details.card", { open },
				h("summary", icon("file"), h("span.tool-name", "State"), names, icon("chevron")),
				h("div.card-body", codeBlock(text, "json")),
			),
		);
	}

	failure(t, c) {
		const text = !c.run && !t.viewing && c.error ? String(c.error).slice(0, 2000) : "";
		const advice = "What was done before it is kept. Try again from there, or edit your message above.";
		fill("failure", text, () =>
			h(
				"div.card.failed", { role: "alert" },
				h("h3", icon("warning"), "The run failed"),
				h("p.plain-text", { dir: "auto" }, text),
				h("p.quiet", advice),
				actions(button([icon("again"), "Try again"], () => this.on.run(t, { input: null }))),
			),
		);
	}

	// A run that was stopped, or stops before a node, can go on.
	paused(t, c) {
		const over = c.run || t.viewing || c.error || c.interrupts.length > 0;
		const next = over ? [] : (c.state?.next ?? []).filter((n) => n !== "__start__");
		const text = next.map((n) => visible(n)).join(", ");
		fill("paused", text, () =>
			h("div.card.paused", h("span", "Stopped before ", h("code", text)), button("Go on", () => this.on.run(t, { input: null }))),
		);
	}

	asks(t, c) {
		const waits = !c.run && !t.viewing && c.interrupts.length > 0;
		const key = waits ? [t.id, ...c.interrupts.map((i) => i.id)].join(" ") : "";
		if (!fill("asks", key, () => askView(c.interrupts, (responses) => this.on.answer(t, responses)))) return;
		this.stay = false; // a long form is read from its beginning
		requestAnimationFrame(() => $("asks").scrollIntoView({ block: "start" }));
	}

	composer(t, c) {
		const waits = !c.run && c.interrupts.length > 0;
		$("composer").hidden = waits || Boolean(t.viewing || t.missing || t.loading || !t.agent);
		$("stop").hidden = !c.run;
		$("send").hidden = Boolean(c.run) && $("message-box").value === "";
		const forget = () => {
			t.at = null;
			this.later(t);
		};
		fill("chip", t.at ?? "", () => [
			icon("fork"),
			h("span", "Your message goes on from the earlier point"),
			iconButton("close", "Go on from the newest instead", forget),
		]);
	}

	// An agent that takes no messages gets a form of what it takes.
	async inputs(t) {
		const agent = t.agent;
		if (!agent || t.formOf === agent) return;
		t.formOf = agent;
		t.form = null;
		agent.schemas ??= await wire.schemas(agent.assistant_id).catch(() => ({}));
		if (this.thread !== t || t.formOf !== agent) return;
		const schema = agent.schemas.input_schema;
		const names = Object.keys(schema?.properties ?? {});
		const talks = names.length === 0 || names.includes("messages");
		if (!talks) t.form = field({ ...schema, type: "object", title: " " }, undefined, "", true);
		$("inputs").replaceChildren(talks ? "" : t.form.el);
		$("composer").classList.toggle("form", !talks);
		$("message-box").hidden = !talks;
	}
}

// ---- complaints ----

const hints = {
	0: "Is it running? Your text is still in the box: send it again.",
	403: "You may not do this. Sign in as somebody who may.",
	404: "It may have been deleted meanwhile.",
	409: "Something else happened at the same time. Look at what is there now, then try again.",
	413: "Send less at once.",
	422: "Change it as it says, then try again.",
	429: "Wait a moment, then try again.",
	503: "Wait a moment, then try again.",
};

// What was refused, and what to do; null: nothing any more.
export function notice(e) {
	if (!e) {
		$("notice").replaceChildren();
		return;
	}
	const hint = hints[e.status] ? h("p.quiet", hints[e.status]) : null;
	const words = h("div", h("p", { dir: "auto" }, String(e.message).slice(0, 600)), hint);
	const close = iconButton("close", "Close", () => notice(null));
	$("notice").replaceChildren(h("div.notice", icon("warning"), words, close));
}
