// inbox.js - everything that waits for a person, of all threads: who asks, what, since when,
// and the forms that answer it.  What is open stays while others come and go.
import { askView } from "./ask.js";
import { $, encode, h } from "./dom.js";
import { answer } from "./follow.js";
import { emptyState, folded, name, poll, when } from "./parts.js";
import { briefly } from "./threads.js";

const MOST = 100;

export async function show(host, rest, context) {
	const { wire, agents, signal } = context;
	const list = h("div");
	const none = emptyState("check", "Nothing waits for you", "Questions of agents, and calls of tools that need a decision, are listed here.");
	const cards = new Map(); // thread and questions -> what shows them

	// All that one thread asks is answered together.
	function card(waits, metadata) {
		const id = waits[0].thread_id;
		const agent = agents.find((a) => a.assistant_id === metadata.assistant_id || a.graph_id === metadata.graph_id);
		const what = waits.map((w) => briefly(w.value)).join("; ");
		const submit = async (responses) => {
			await answer(id, responses);
			context.announce("Answered");
			await look();
			(list.querySelector("summary") ?? $("page-title")).focus();
		};
		const open = h("a", { href: `#/t/${encode(id)}` }, "The conversation");
		const head = h("span.said-head", name(agent?.name ?? metadata.graph_id ?? "agent"), h("span.brief", { dir: "auto" }, what), when(waits[0].created_at));
		return folded(head, () => [open, askView(waits, submit)]);
	}

	async function look() {
		const waits = await wire.waiting();
		const by = new Map([...Map.groupBy(waits, (w) => w.thread_id).values()].map((all) => [all.map((w) => w.id).join(" "), all]));
		const fresh = [...by].filter(([key]) => !cards.has(key));
		const ids = fresh.map(([, all]) => all[0].thread_id);
		const threads = ids.length > 0 ? await wire.call("POST", "/threads/search", { ids, limit: ids.length, select: ["thread_id", "metadata"] }) : [];
		if (signal.aborted) return;
		for (const [key, all] of fresh)
			if (!cards.has(key)) cards.set(key, card(all, threads.find((t) => t.thread_id === all[0].thread_id)?.metadata ?? {}));
		for (const [key, el] of cards) if (!by.has(key)) cards.delete(key), el.remove();
		let at = list.firstChild;
		for (const key of by.keys()) {
			if (cards.get(key) === at) at = at.nextSibling;
			else list.insertBefore(cards.get(key), at);
		}
		none.hidden = waits.length > 0;
		context.badge("inbox", waits.length);
		context.title("Inbox", waits.length < MOST ? "" : `The newest ${MOST}`);
	}

	host.replaceChildren(list, none);
	await poll(context, 2000, look);
}
