// history.js - the checkpoints of a thread: look at one, go on from it, run it again.
import { h, icon, pretty } from "./dom.js";
import { codeBlock } from "./markdown.js";
import * as wire from "./wire.js";

const PAGE = 50;

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
  const has = async (i) =>
    ((await wire.stateAt(thread, idOf(line[i]))).values?.messages ?? []).some((m) => m.id === id);
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
      if (thread === this.thread)
        this.box.replaceChildren(
          h("p", { class: "quiet" }, e.status === 404 ? "Nothing has happened here yet." : e.message),
        );
    }
  }

  show() {
    if (this.states.length === 0) {
      this.box.replaceChildren(h("p", { class: "quiet" }, "Nothing has happened here yet."));
      return;
    }
    this.box.replaceChildren(
      h(
        "ol",
        { class: "checkpoints" },
        this.states.map((s, i) => this.row(s, i)),
      ),
      this.whole
        ? ""
        : h(
            "button",
            { type: "button", class: "plain", onclick: () => this.more() },
            "Show earlier checkpoints",
          ),
    );
  }

  row(s, i) {
    const id = idOf(s);
    const open = id === this.viewed?.id;
    const m = s.metadata ?? {};
    const next = (s.next ?? []).filter((n) => n !== "__start__").join(", ");
    const child = this.states[i - 1];
    const branch = child && child.parent_checkpoint?.checkpoint_id !== id && i > 0;
    return h(
      "li",
      { class: open ? "open" : null },
      h(
        "button",
        { type: "button", class: "checkpoint", "aria-expanded": String(open), onclick: () => this.view(s) },
        h("span", { class: "node" }),
        h(
          "span",
          { class: "checkpoint-name" },
          m.source === "input" ? "Input" : `${sources[m.source] ?? "Step"} ${m.step ?? ""}`,
          branch ? h("span", { class: "tag" }, "branch") : null,
          i === 0 ? h("span", { class: "tag" }, "newest") : null,
        ),
        h("span", { class: "checkpoint-when" }, new Date(s.created_at).toLocaleTimeString()),
        h(
          "span",
          { class: "checkpoint-next" },
          (s.next ?? []).includes("__start__")
            ? "before it was taken"
            : next
              ? `next: ${next}`
              : "nothing left to do",
        ),
      ),
      open
        ? h(
            "div",
            { class: "checkpoint-body" },
            h(
              "div",
              { class: "actions" },
              h(
                "button",
                { type: "button", onclick: () => this.on.fork(this.viewed.state) },
                icon("fork"),
                "Go on from here",
              ),
              (s.next ?? []).length > 0
                ? h(
                    "button",
                    { type: "button", onclick: () => this.on.replay(this.viewed.state) },
                    icon("again"),
                    "Run again",
                  )
                : null,
            ),
            h(
              "details",
              { class: "card" },
              h("summary", null, "Values", icon("chevron")),
              codeBlock(pretty(this.viewed.state.values), "json"),
            ),
          )
        : null,
    );
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
