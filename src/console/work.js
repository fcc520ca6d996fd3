// work.js - the tracker's board: columns as the server tells them, read again when the
// project's events say that something happened; one item with all it has.
// #/work/PROJECT/ITEM.
import { confirm, dialog, encode, h, icon, iconButton, prompt, say, visible } from "./dom.js";
import * as parts from "./parts.js";
import { prose } from "./markdown.js";
import { frames } from "./wire.js";

const { actions, button, emptyState, errorState, field, form, name, select, status, tag, when } = parts;
const PAGE = 100;
const types = ["task", "bug", "feature", "epic", "chore"];
const urgency = ["critical", "high", "normal", "low", "least"].map((w, i) => `P${i} ${w}`);
const texts = { description: "Description", design: "Design", acceptance_criteria: "Acceptance", notes: "Notes" };
const statuses = { open: "Open", in_progress: "In progress", blocked: "Blocked", deferred: "Deferred", closed: "Closed" };

// key: in `stats` too; to: the status of what is put there.
const columns = [
	{ key: "ready", title: "Ready", to: "open", empty: "Nothing can be begun now." },
	{ key: "in_progress", title: "In progress", to: "in_progress", empty: "Nobody works on anything." },
	{ key: "blocked", title: "Blocked", to: "blocked", empty: "Nothing waits for anything." },
	{ key: "deferred", title: "Deferred", to: "deferred", empty: "" },
	{ key: "closed", title: "Closed", to: "closed", empty: "Nothing is done yet." },
];

const idOf = (text) => h("code", visible(String(text)));
const statusOf = (i) => [statuses[i.status] ?? visible(String(i.status)), i.assignee ? [", ", name(i.assignee)] : null];
const priority = (i) => h("span", { class: `priority p${i.priority}`, title: urgency[i.priority] }, `P${i.priority}`);
const labelsOf = (i) => (i.labels ?? []).slice(0, 6).map((l) => tag(visible(l).slice(0, 40)));
const listOf = (text) => text.split(",").map((x) => x.trim()).filter((x) => x !== "");
const empty = (v) => v === undefined || v === null || v.length === 0;
const same = (a, b) => (empty(a) && empty(b)) || JSON.stringify(a) === JSON.stringify(b);

const failed = (e) =>
	dialog(e.status === 409 ? "Somebody else was first" : "It was not changed", (done) =>
		h("div", h("p", { dir: "auto" }, e.message), actions(button("Close", () => done(), null, { autofocus: "" }))),
	);

// ---- the server ----

class Tracker {
	constructor({ wire, signal }, project) {
		Object.assign(this, { wire, signal, query: `project=${encode(project)}` });
	}

	call(method, path, body) {
		const more = path.includes("?") ? "&" : "?";
		return this.wire.call(method, `/work/${path}${more}${this.query}`, body, { signal: this.signal });
	}

	rpc = async (operation, args) => (await this.call("POST", "rpc", { operation, args })).data;
	item = (id) => this.call("GET", `items/${encode(id)}`);
	patch = (id, change) => this.call("PATCH", `items/${encode(id)}`, change);

	async column(key, limit) {
		const list = `items?status=${key}&limit=${limit}`;
		if (key === "ready") return this.call("GET", `ready?limit=${limit}`);
		if (key === "closed") return this.call("GET", `${list}&sort=closed`);
		const said = await this.call("GET", list);
		if (key !== "blocked") return said;
		const waits = await this.rpc("blocked", { limit });
		return [...waits, ...said.filter((i) => !waits.some((w) => w.id === i.id))].slice(0, limit);
	}

	move(item, to, reason) {
		const { id } = item;
		if (to === "claim") return this.call("POST", "claim", { id });
		if (to === "closed") return this.call("POST", `items/${encode(id)}/close`, reason ? { reason } : {});
		if (to === "open" && item.status === "closed") return this.rpc("reopen", { id });
		if (to === "open" && item.lease) return this.rpc("release", { id });
		return this.patch(id, { status: to });
	}

	// changed(event) for each that happens, until the signal.
	async listen(changed, connected) {
		const { wire, signal } = this;
		let last = null;
		for (let failures = 0; !signal.aborted; failures++) {
			try {
				const headers = last ? { "last-event-id": last } : {};
				const response = await wire.request("GET", `/work/events?${this.query}`, { signal, headers });
				connected(true, failures > 0);
				failures = 0;
				for await (const f of frames(response)) {
					last = f.id ?? last;
					if (f.event !== "work.ready") changed(JSON.parse(f.data));
				}
			} catch (e) {
				if (signal.aborted || e.status === 401 || e.status === 403) return;
			}
			connected(false);
			await wire.pause(Math.min(500 * 2 ** failures, 8000), signal);
		}
	}
}

// ---- forms ----

function boxesOf(item) {
	const box = {
		title: h("input", { value: item.title ?? "", required: true, maxlength: "500", dir: "auto", autocomplete: "off" }),
		priority: select("Priority", urgency, item.priority ?? 2),
		issue_type: select("Type", Object.fromEntries(types.map((t) => [t, t])), item.issue_type ?? "task"),
		labels: h("input", { value: (item.labels ?? []).join(", "), dir: "auto", autocomplete: "off", placeholder: "with commas between" }),
	};
	for (const k of Object.keys(texts)) box[k] = h("textarea", { rows: "2", dir: "auto" }, item[k] ?? "");
	return box;
}

const valuesOf = ({ labels, priority: p, ...rest }) => ({
	...Object.fromEntries(Object.entries(rest).map(([k, el]) => [k, el.value])),
	priority: Number(p.value),
	labels: listOf(labels.value),
});

function formOf(box, extra, action, submit, cancel) {
	const wrong = h("p.wrong", { role: "alert" });
	const save = () => submit(wrong.replaceChildren()).catch((x) => wrong.append(x.message));
	const pair = h("div.pair", field("Priority", box.priority), field("Type", box.issue_type));
	const rest = Object.entries(texts).map(([k, t]) => field(t, box[k]));
	const foot = actions(button("Cancel", cancel), h("button.primary", action));
	return form("item-form", save, field("Title", box.title), pair, rest, field("Labels", box.labels), extra, wrong, foot);
}

// ---- the board ----

class Board {
	constructor(host, context, project, open) {
		Object.assign(this, { host, context, project, open, tracker: new Tracker(context, project) });
		this.by = new Map(); // id -> the newest event about it
		this.cards = new Map(); // id -> { el, item, text }
		this.lists = {};
		this.side = h("aside.item", { "aria-label": "Item", hidden: true });
		this.board = h("div.board", { role: "group", "aria-label": "Board" }, columns.map((c) => this.column(c)));
		this.state = h("div.state");
		const box = h("input", { value: project, "aria-label": "Project", spellcheck: "false", autocomplete: "off" });
		const go = () => box.value.trim() && context.navigate(`#/work/${encode(box.value.trim())}`);
		context.tools(this.newItem());
		host.replaceChildren(form("toolbar inline", go, h("span.quiet", "Project"), box), this.state, h("div.work", this.board, this.side));
		this.board.addEventListener("keydown", (e) => this.key(e));
	}

	newItem = () => parts.barButton("plus", "New item", () => this.create(), { class: "bar-button primary" });
	hash = (id) => `#/work/${encode(this.project)}${id ? `/${encode(id)}` : ""}`;
	focus = (id) => this.cards.get(id)?.el.querySelector("a").focus({ preventScroll: true });

	column(c) {
		const list = h("ul.card-list", { "data-column": c.key, "aria-label": c.title });
		const count = h("span.quiet");
		const more = button("Show more", () => this.more(c.key), "plain wide", { hidden: true });
		const none = h("p.quiet.nothing", c.empty);
		const over = (yes) => (e) => {
			if (yes && this.dragged) e.preventDefault();
			el.classList.toggle("over", Boolean(yes && this.dragged));
		};
		const ondrop = (e) => {
			over(false)(e);
			e.preventDefault();
			if (this.dragged && this.dragged.column !== c.key) this.move(this.dragged.item, c.key === "in_progress" ? "claim" : c.to);
		};
		const body = h("div.column-body", list, none, more);
		const el = h("section.column", { "aria-label": c.title, ondragover: over(true), ondragleave: over(false), ondrop }, h("h3", c.title, count), body);
		this.lists[c.key] = { el, list, count, more, none, limit: PAGE };
		el.hidden = c.key === "deferred";
		return el;
	}

	async start() {
		await this.load();
		if (this.open) this.show(this.open);
		this.tracker.listen((e) => this.changed(e), (yes, again) => {
			this.context.title("Work", yes ? "Live" : "Connecting again\u2026");
			if (again) this.soon();
		});
		return () => clearTimeout(this.timer);
	}

	changed(e) {
		this.by.set(e.issue_id, e);
		if (this.by.size > 2000) this.by.delete(this.by.keys().next().value);
		this.soon();
		if (e.issue_id === this.open) this.otherChanged(e);
	}

	// Many changes are one look.
	soon() {
		this.timer ??= setTimeout(() => {
			this.timer = null;
			this.load();
		}, 300);
	}

	more(key) {
		this.lists[key].limit += 2 * PAGE;
		return this.load();
	}

	async load() {
		if (this.loading) {
			this.soon();
			return;
		}
		this.loading = true;
		try {
			const ask = columns.map((c) => this.tracker.column(c.key, this.lists[c.key].limit + 1));
			const [sums, ...lists] = await Promise.all([this.tracker.rpc("stats", {}), ...ask]);
			const had = document.activeElement?.closest(".work-card")?.dataset.id;
			columns.forEach((c, i) => this.fill(c, lists[i], sums[`${c.key}_issues`]));
			if (had && !document.activeElement?.closest(".work-card")) this.focus(had);
			const none = emptyState("board", "No work yet", "Agents and people put what there is to do here.", this.newItem());
			this.board.hidden = sums.total_issues === 0;
			this.state.replaceChildren(...(this.board.hidden ? [none] : []));
		} catch (e) {
			if (!this.context.signal.aborted && this.cards.size === 0) this.state.replaceChildren(errorState(e, () => this.load()));
		} finally {
			this.loading = false;
		}
	}

	// Cards stay where they are, so that focus and scrolling do.
	fill(c, items, total) {
		const { el, list, more, none, count, limit } = this.lists[c.key];
		const shown = items.slice(0, limit);
		more.hidden = items.length <= limit;
		none.hidden = shown.length > 0;
		count.textContent = total?.toLocaleString() ?? "";
		if (c.key === "deferred") el.hidden = !total;
		let at = list.firstChild;
		for (const item of shown) {
			const card = this.card(item, c.key);
			if (card === at) at = at.nextSibling;
			else list.insertBefore(card, at);
		}
		while (at) {
			const next = at.nextSibling;
			at.remove();
			if (this.cards.get(at.dataset.id)?.el === at) this.cards.delete(at.dataset.id);
			at = next;
		}
	}

	card(item, column) {
		const text = JSON.stringify([column, item.updated_at, item.status, item.blocked_by, item.lease]);
		const old = this.cards.get(item.id);
		if (old?.text === text) return old.el;
		const onclick = (e) => {
			if (e.ctrlKey || e.metaKey) return;
			e.preventDefault();
			this.show(item.id);
		};
		const until = item.lease ? `until ${new Date(item.lease.until).toLocaleString()}` : null;
		const el = h(
			"li.work-card", { draggable: "true", "data-id": item.id },
			h("div.card-top", idOf(item.id), priority(item), h("span.spring"), iconButton("fork", `Move ${item.id}`, () => this.menu(item, column))),
			h("a", { href: this.hash(item.id), dir: "auto", onclick }, visible(item.title.slice(0, 300))),
			h(
				"div.card-foot",
				item.issue_type === "task" ? null : tag(visible(item.issue_type)),
				labelsOf(item),
				item.blocked_by?.length ? h("span.waits", `waits for ${item.blocked_by.length}`) : null,
				item.assignee ? h("span.assignee", { title: until }, icon("person"), name(item.assignee)) : null,
				item.closed_at ? when(item.closed_at) : null,
			),
		);
		el.addEventListener("dragstart", (e) => {
			this.dragged = { item, column };
			e.dataTransfer.setData("text/plain", item.id);
		});
		el.addEventListener("dragend", () => (this.dragged = null));
		this.cards.set(item.id, { el, item, text });
		return el;
	}

	// Arrows lead from card to card, M to what can be done with one.
	key(e) {
		const li = e.target.closest("li");
		if (!li || e.altKey || e.ctrlKey || e.metaKey) return;
		const shown = columns.map((c) => this.lists[c.key].list).filter((l) => l.firstChild);
		const side = shown[shown.indexOf(li.parentElement) + ({ ArrowRight: 1, ArrowLeft: -1 }[e.key] ?? NaN)];
		const to = { ArrowDown: li.nextSibling, ArrowUp: li.previousSibling }[e.key] ?? side?.children[Math.min([...li.parentElement.children].indexOf(li), side.children.length - 1)];
		if (e.key.toLowerCase() === "m") this.menu(this.cards.get(li.dataset.id).item, li.parentElement.dataset.column);
		else if (!to) return;
		e.preventDefault();
		to?.querySelector("a").focus();
	}

	// ---- changing ----

	async menu(item, column) {
		const ways = [["claim", "Claim it for me"], ...columns.filter((c) => c.key !== column).map((c) => [c.to, c.title])];
		const to = await dialog(`Move ${visible(item.id)}`, (done) =>
			h("div.menu", h("p", { dir: "auto", class: "quiet" }, visible(item.title.slice(0, 200))), ways.map(([way, text], i) => button(text, () => done(way), "wide", i === 0 ? { autofocus: "" } : {})), button("Cancel", () => done(), "plain wide")),
		);
		if (to) await this.move(item, to);
		this.focus(item.id);
	}

	who(id) {
		const e = this.by.get(id);
		return e ? name(e.actor) : "Somebody";
	}

	// False: somebody else changed it since, and the person leaves it so.
	async stillSo(item) {
		const now = await this.tracker.item(item.id);
		if (now.updated_at === item.updated_at) return true;
		const rows = [["Was", statusOf(item)], ["Is now", statusOf(now)], ["Title", now.title === item.title ? null : name(now.title)]];
		return dialog("It has changed meanwhile", (done) =>
			h("div", h("p", this.who(item.id), ` changed ${visible(item.id)}.`), parts.facts(rows), actions(button("Leave it so", () => done(false), null, { autofocus: "" }), button("Change it anyway", () => done(true), "primary"))),
		);
	}

	async move(item, to, reason) {
		try {
			if (await this.stillSo(item)) {
				await this.tracker.move(item, to, reason);
				say(`${item.id}: ${statuses[to] ?? "claimed"}`);
			}
		} catch (e) {
			await failed(e);
		}
		await this.load();
		if (this.open === item.id) await this.show(item.id);
	}

	create() {
		return dialog("New item", (done) => {
			const box = boxesOf({});
			const needs = h("input", { autocomplete: "off", placeholder: "ids, with commas between" });
			const submit = async () => {
				const values = { ...valuesOf(box), dependencies: listOf(needs.value) };
				const item = await this.tracker.call("POST", "items", Object.fromEntries(Object.entries(values).filter(([, v]) => !empty(v))));
				done();
				say(`${item.id} created`);
				await this.load();
				await this.show(item.id);
			};
			return formOf(box, field("Depends on", needs), "Create", submit, () => done());
		});
	}

	// ---- one item ----

	opened(id) {
		this.open = id;
		this.side.hidden = !id;
		this.host.classList.toggle("with-item", Boolean(id));
		this.context.replace(this.hash(id));
	}

	close() {
		const id = this.open;
		this.opened(null);
		this.focus(id);
	}

	async show(id) {
		const fresh = this.open !== id || this.side.hidden;
		this.opened(id);
		if (fresh) this.side.replaceChildren(parts.loading());
		try {
			const item = await this.tracker.item(id);
			if (this.open === id) this.detail(item, fresh);
		} catch (e) {
			if (this.open === id) this.side.replaceChildren(this.head(id), errorState(e, () => this.show(id)));
		}
	}

	head = (id, ...more) => h("div.item-head", idOf(id), more, h("span.spring"), iconButton("close", "Close item", () => this.close()));

	// What others do is shown, but a form that is being filled in stays.
	otherChanged(e) {
		if (!this.editing && !this.side.querySelector("textarea:focus, input:focus")) {
			this.show(e.issue_id);
			return;
		}
		const bar = this.side.querySelector(".banner");
		bar.hidden = false;
		bar.replaceChildren(name(e.actor), ` changed this item (${visible(String(e.kind))}). What you write stays.`);
	}

	detail(item, focus) {
		this.editing = false;
		const open = item.status !== "closed";
		const to = select("Status", { [item.status]: item.status, ...statuses }, item.status, () => this.move(item, to.value));
		const closing = async () => {
			const reason = await prompt(`Close ${visible(item.id)}`, "What was done", "", "Close item");
			if (reason !== undefined) await this.move(item, "closed", reason);
		};
		const tools = [to, open ? button("Claim", () => this.move(item, "claim")) : null, open ? button("Close\u2026", closing) : null, button("Edit", () => this.edit(item))];
		const heading = h("h3", { dir: "auto", tabindex: "-1" }, visible(item.title));
		const rows = [
			["Assignee", item.assignee && name(item.assignee)],
			["Claimed until", item.lease && new Date(item.lease.until).toLocaleString()],
			["Labels", item.labels?.length ? labelsOf(item) : null],
			["Reference", item.external_ref && name(item.external_ref)],
			["Created", when(item.created_at)],
			["Changed", when(item.updated_at)],
			["Closed", item.closed_at && when(item.closed_at)],
		];
		this.side.replaceChildren(
			this.head(item.id, priority(item), tag(visible(item.issue_type))),
			h("div.banner", { role: "status", hidden: true }),
			h(
				"div.item-body",
				heading,
				h("div.item-tools", tools),
				parts.facts(rows),
				Object.entries(texts).map(([k, t]) => (item[k] ? [h("h4", t), prose(item[k])] : null)),
				this.links("Waits for", item.dependencies),
				this.links("Is waited for by", item.dependents),
				this.line("Depends on", "id of an item that it waits for", "Add", (to_id) => this.tracker.rpc("dep_add", { from_id: item.id, to_id })),
				h("h4", "Comments"),
				(item.comments ?? []).slice(-200).map((c) => h("div.comment", h("p.quiet", name(c.author), " ", when(c.created_at)), prose(c.text))),
				this.line("Comment", "Write a comment", "Comment", (text) => this.tracker.rpc("comment", { id: item.id, text }), "textarea"),
				parts.folded("What happened to it", () => this.history(item.id)),
			),
		);
		if (focus) heading.focus({ preventScroll: true });
	}

	links(title, all) {
		const link = (i) => h("li", button([idOf(i.id), name(i.title ?? ""), h("span.spring"), i.dependency_type === "blocks" ? null : tag(visible(String(i.dependency_type))), status(i.status ?? "missing")], () => this.show(i.id), "result"));
		return all?.length ? [h("h4", title), h("ul", all.slice(0, 200).map(link))] : null;
	}

	// A box with a button, which does something to the item that is shown.
	line(label, placeholder, action, f, kind = "input") {
		const box = h(kind, { "aria-label": label, placeholder, autocomplete: "off", dir: "auto" });
		const send = () => {
			const id = this.open;
			if (box.value.trim() !== "") f(box.value.trim()).then(() => this.show(id), failed);
		};
		return form("inline", send, box, h("button", action));
	}

	history(id) {
		const box = h("ul.events", parts.loading());
		const row = (e) => h("li", tag(visible(e.kind)), name(e.actor), when(e.at));
		this.tracker.rpc("history", { id, limit: 200 }).then((all) => box.replaceChildren(...all.reverse().map(row)), (e) => box.replaceChildren(errorState(e)));
		return box;
	}

	edit(item) {
		const box = boxesOf(item);
		const cancel = async () => {
			const mine = valuesOf(box);
			const touched = Object.keys(mine).some((k) => !same(item[k], mine[k]));
			if (!touched || (await confirm("Leave it?", "What you wrote will be gone.", "Leave"))) this.detail(item, true);
		};
		this.editing = true;
		this.side.querySelector(".item-body").replaceChildren(formOf(box, null, "Save", () => this.save(item, valuesOf(box)), cancel));
		box.title.focus();
	}

	// Fields that one side changed are kept; of those that both did the person chooses.
	async save(base, mine) {
		const now = await this.tracker.item(base.id);
		const changed = Object.keys(mine).filter((k) => !same(base[k], mine[k]));
		const both = changed.filter((k) => !same(base[k], now[k]) && !same(now[k], mine[k]));
		const theirs = both.length > 0 ? await this.choose(base.id, now, mine, both) : [];
		if (!theirs) return;
		const send = changed.filter((k) => !theirs.includes(k)).map((k) => [k === "labels" ? "set_labels" : k, mine[k]]);
		if (send.length > 0) await this.tracker.patch(base.id, Object.fromEntries(send));
		say("Saved");
		this.editing = false;
		await this.load();
		await this.show(base.id);
	}

	// The fields in which theirs is kept; undefined: go on writing.
	choose(id, now, mine, both) {
		const side = (title, value) => h("div", h("h4", title), h("p.plain-text", { dir: "auto" }, visible(String(value ?? ""))));
		return dialog("Two changes of the same", (done) => {
			const picks = both.map((k) => [k, select(`${k}: which`, { mine: "Keep mine", theirs: "Keep theirs" }, "mine")]);
			const save = () => done(picks.filter(([, el]) => el.value === "theirs").map(([k]) => k));
			const row = ([k, el]) => h("section", h("h3", texts[k] ?? k), h("div.pair", side("Theirs", now[k]), side("Yours", mine[k])), el);
			return h("div.conflict", h("p", this.who(id), " changed this item while you did."), picks.map(row), actions(button("Go on writing", () => done()), button("Save", save, "primary")));
		});
	}
}

export const show = (host, rest, context) => new Board(host, context, rest[0] ?? "default", rest[1]).start();
