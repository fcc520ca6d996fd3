// chat-tab.mjs - a tab (chat-lib.mjs) without a browser: the stream class of an SDK,
// which the hooks of @langchain/react wrap, and what a page would show of it.
import { textOf } from "./chat-lib.mjs";
import { until } from "./lib.mjs";

// A hook's life without React: a controller, and what a page would show of it.
export class Tab {
  constructor(sdk, server, assistant, thread, options = {}) {
    Object.assign(this, { sdk, server, assistant, options, refused: "", parents: new Map(), scopes: new Map() });
    this.mount(thread);
  }
  mount(threadId = null) {
    const client = new this.sdk.Client({ apiUrl: this.server.url, callerOptions: { maxRetries: 4 } });
    this.controller = new this.sdk.StreamController({ client, assistantId: this.assistant, threadId, ...this.options });
    this.release = this.controller.activate();
    this.controller.messageMetadataStore.subscribe(() => this.remember());
  }
  close() { this.release(); return this.controller.dispose(); }
  async reload() {
    const { threadId } = this.controller.rootStore.getSnapshot();
    await this.close();
    this.parents.clear();
    this.scopes.clear();
    this.mount(threadId);
  }
  // Before 1.15 the parents of later checkpoints are told too; the first one is the fork point.
  remember() {
    for (const [id, { parentCheckpointId: parent }] of this.controller.messageMetadataStore.getSnapshot()) if (parent && !this.parents.has(id)) this.parents.set(id, parent);
    for (const s of this.controller.subgraphStore.getSnapshot().values())
      if (!this.scopes.has(s.id)) this.scopes.set(s.id, [s, this.controller.registry.acquire(this.sdk.messagesProjection(s.namespace)).store]);
  }
  see() {
    this.remember();
    const s = this.controller.rootStore.getSnapshot(), words = (e) => e === undefined || e === null ? "" : String(e.message ?? JSON.stringify(e));
    return {
      status: s.isThreadLoading ? "loading" : s.isLoading ? "running" : "idle", thread: s.threadId, error: words(s.error), refused: this.refused,
      queued: String(this.controller.queueStore.getSnapshot().length),
      messages: s.messages.map((m) => [m.getType(), textOf(m.content)]), ids: s.messages.map((m) => m.id),
      calls: s.toolCalls.map((c) => [c.name, c.status, textOf(c.output?.content ?? c.output)]),
      interrupts: s.interrupts.map(({ value }) => value?.action_requests?.[0] ?? value).map((v) => JSON.stringify(v.args ? { name: v.name, args: v.args } : v)),
      scopes: [...this.scopes.values()].map(([g, store]) => `${g.namespace.map((n) => n.split(":")[0]).join("/")} ${store.getSnapshot().map((m) => `${m.getType()}: ${textOf(m.content)}`).join(" | ")}`),
    };
  }
  when(condition, arg, ms) {
    return until(() => { const view = this.see(); return condition(view, arg) && view; }, `${condition} with ${JSON.stringify(arg)}`, ms)
      .catch((e) => { throw new Error(`${e.message}\n     it shows ${JSON.stringify(this.see())}`); });
  }
  #act(promise) { this.refused = ""; promise.catch((e) => { this.refused = String(e.message); }); }
  #submit(content, options) { this.#act(this.controller.submit({ messages: [{ type: "human", content }] }, options)); }
  send(text) { this.#submit(text); }
  queue(text) { this.#submit(text, { multitaskStrategy: "enqueue" }); }
  respond(interruptId, value) { this.#act(this.controller.respond(value, { interruptId })); }
  stop() { return this.controller.stop(); }
  decide(how, text) {
    const [{ id, value: { action_requests: [{ name }] } }] = this.controller.rootStore.getSnapshot().interrupts;
    const more = { approve: () => ({}), edit: () => ({ edited_action: { name, args: JSON.parse(text) } }), reject: () => ({ message: text }) };
    this.respond(id, { decisions: [{ type: how, ...more[how]() }] });
  }
  async fork(n, text) {
    const from = await until(() => { this.remember(); return this.parents.get(this.see().ids[n]); }, "a fork point");
    this.#submit(text, { forkFrom: from });
  }
}

// The classes of an SDK by its version, as tests/e2e/package.json names them.
export const sdkOf = async (version) => ({ Client: (await import(`sdk-${version}`)).Client, ...await import(`sdk-${version}/stream`) });
