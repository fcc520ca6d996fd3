// saver.js - the checkpointer of a task: LangGraph's BaseCheckpointSaver whose rows are
// kept by Cohort.  Values go over as the serialiser's own bytes; beside them `view` says
// the changed state in plain JSON, so that the server can show it without this code.
import { langgraph } from "./langgraph.js";
import { plain, stringify } from "./plain.js";

const { BaseCheckpointSaver } = await langgraph();

const TASKS = "__pregel_tasks";
const INTERRUPT = "__interrupt__";
// LangGraph's places of the writes that are no channel's (WRITES_IDX_MAP of its base.js).
const PLACES = { __error__: -1, __scheduled__: -2, [INTERRUPT]: -3, __resume__: -4 };
const PAGE = 100;

const own = (object, key) => Object.prototype.hasOwnProperty.call(object, key);

/** A serialised value as the wire has it: text where it is text. */
function pack([type, bytes]) {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return type === "json" ? { type, text: data.toString("utf8") } : { type, b64: data.toString("base64") };
}

const unpack = (value) => (value.text !== undefined ? value.text : new Uint8Array(Buffer.from(value.b64, "base64")));

function newestVersion(versions) {
  return versions.reduce((a, b) => ((typeof a === "number" && typeof b === "number" ? a >= b : String(a).localeCompare(String(b)) >= 0) ? a : b));
}

const isDelta = (channel) => channel?.lc_graph_name === "DeltaChannel";
const isState = (name) => !name.startsWith("__") && !name.startsWith("branch:") && !name.startsWith("join:");

export class RemoteSaver extends BaseCheckpointSaver {
  #call; #thread; #channels; #waiting = []; #pumping; #shown = new Set();

  /**
   * call(body): one saver operation of the task.  thread: the only thread the task may
   * touch (none: any, which the server allows to tests alone).  channels(ns): the channels
   * of the graph in that namespace, {specs, names}, when it is known.
   */
  constructor({ call, thread, channels, serde } = {}) {
    super(serde);
    this.#call = call;
    this.#thread = thread;
    this.#channels = channels ?? (() => undefined);
  }

  #place(config, what) {
    const { thread_id: thread, checkpoint_ns: ns = "", checkpoint_id: id, thread_ts } = config?.configurable ?? {};
    if (thread === undefined && what) throw new Error(`Failed to ${what}: the config has no "thread_id" in its "configurable"`);
    if (this.#thread !== undefined && thread !== undefined && thread !== this.#thread)
      throw new Error(`this task may use the thread ${this.#thread} only, not ${thread}; give the graph a checkpointer of its own to use other threads`);
    return { thread, ns, id: id || thread_ts || undefined };
  }

  // Only a test's token may name the thread.
  #of(thread) { return this.#thread === undefined && thread !== undefined ? { thread_id: String(thread) } : {}; }

  // What is still on its way is written before anything is read.
  async #read(body) {
    while (this.#waiting.length > 0 || this.#pumping) await this.#pumping;
    return this.#call(body);
  }

  #write(item) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...item, resolve, reject });
      this.#pumping ??= this.#pump();
    });
  }

  // One at a time, in the order that the graph asks for them; the writes of tasks that end
  // together go in one call.
  async #pump() {
    await new Promise(setImmediate);
    for (let next; (next = this.#waiting.shift()) !== undefined;) {
      const items = [next];
      while (next.group && this.#waiting[0]?.group && this.#waiting[0].key === next.key) items.push(this.#waiting.shift());
      try {
        const body = next.group ? { op: "writes", ...next.of, groups: await Promise.all(items.map((i) => i.group)) } : await next.body();
        await this.#call(body);
        for (const item of items) item.resolve();
      } catch (error) {
        for (const item of items) item.reject(error);
      }
    }
    this.#pumping = undefined;
  }

  async #writes(found) {
    return Promise.all((found.writes ?? []).map(async (w) => [w.task_id, w.channel, await this.serde.loadsTyped(w.type, unpack(w))]));
  }

  async #tuple(found, thread, ask = (body) => this.#read(body)) {
    const at = (id) => ({ configurable: { thread_id: found.thread_id ?? thread, checkpoint_ns: found.ns, checkpoint_id: id } });
    const load = (v) => this.serde.loadsTyped(v.type, unpack(v));
    const [checkpoint, metadata, pendingWrites, values] = await Promise.all([
      load(found.checkpoint), load(found.metadata), this.#writes(found),
      Promise.all((found.blobs ?? []).map(async (b) => [b.channel, await load(b)])),
    ]);
    checkpoint.channel_values = Object.fromEntries(values);
    if (checkpoint.v < 4 && found.parent_id) await this.#migrate(checkpoint, found, thread, ask);
    const tuple = { config: at(found.id), checkpoint, metadata, pendingWrites };
    if (found.parent_id) tuple.parentConfig = at(found.parent_id);
    return tuple;
  }

  // Before version 4 a checkpoint's sends were kept as writes of its parent.
  async #migrate(checkpoint, found, thread, ask) {
    const { found: parent } = await ask({ op: "get", ...this.#of(found.thread_id ?? thread), ns: found.ns, id: found.parent_id });
    const sends = parent ? (await this.#writes(parent)).filter(([, channel]) => channel === TASKS).map(([, , value]) => value) : [];
    const versions = Object.values(checkpoint.channel_versions ??= {});
    checkpoint.channel_values[TASKS] = sends;
    checkpoint.channel_versions[TASKS] = versions.length > 0 ? newestVersion(versions) : this.getNextVersion(undefined);
  }

  async getTuple(config) {
    const { thread, ns, id } = this.#place(config);
    if (thread === undefined) return undefined;
    const { found } = await this.#read({ op: "get", ...this.#of(thread), ns, ...(id && { id }) });
    return found ? this.#tuple(found, thread) : undefined;
  }

  async *list(config, options = {}) {
    const { thread, id } = this.#place(config), ns = config?.configurable?.checkpoint_ns;
    const { filter, limit } = options;
    let before = options.before?.configurable?.checkpoint_id, left = limit ?? Infinity;
    while (left > 0) {
      const answer = await this.#read({
        op: "list", ...this.#of(thread), ...(ns !== undefined && { ns }), ...(before !== undefined && { before }),
        limit: id ? PAGE : Math.min(left, PAGE), ...(filter && { filter }),
      });
      for (const found of answer.items) {
        if (id && found.id !== id) continue;
        yield await this.#tuple(found, thread);
        if (--left <= 0) return;
      }
      if (answer.next === undefined || answer.next === null) return;
      before = answer.next;
    }
  }

  async put(config, checkpoint, metadata, newVersions) {
    const { thread, ns, id: parent } = this.#place(config, "put a checkpoint");
    const { channel_values: values = {}, ...rest } = checkpoint;
    // A copy of a checkpoint is put beside it, not below it: all it holds is new there.
    const copied = metadata?.source === "fork" && Object.keys(newVersions ?? {}).length === 0;
    const versions = copied ? checkpoint.channel_versions ?? {} : newVersions ?? {}, changed = Object.keys(versions);
    const serialise = async (value) => pack(await this.serde.dumpsTyped(value));
    // Serialised before anything is awaited: the graph goes on with these objects.
    const parts = Promise.all([
      serialise(rest), serialise(metadata),
      Promise.all(changed.filter((c) => own(values, c)).map(async (channel) =>
        ({ channel, version: String(versions[channel]), ...(await serialise(values[channel])) }))),
    ]);
    parts.catch(() => {});
    const { text, deltas, specs } = this.#view(ns, checkpoint, metadata, changed);
    const body = async () => {
      const [saved, meta, blobs] = await parts;
      const view = deltas.length > 0 ? stringify(await this.#replayed(JSON.parse(text), ns, parent, deltas, specs)) : text;
      const rows = stringify({
        op: "put", ...this.#of(thread), ns, id: checkpoint.id, ...(parent && { parent_id: parent }), checkpoint: saved, metadata: meta,
        versions: Object.fromEntries(Object.entries(checkpoint.channel_versions ?? {}).map(([c, v]) => [c, String(v)])), blobs,
      });
      return `${rows.slice(0, -1)},"view":${view}}`;
    };
    await this.#write({ body });
    return { configurable: { thread_id: thread, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  // The changed state as JSON text, made at once since the graph goes on changing it;
  // delta channels, which a checkpoint does not hold, are named for later.
  #view(ns, checkpoint, metadata, changed) {
    const graph = this.#channels(ns), values = checkpoint.channel_values ?? {}, shown = {}, gone = [], deltas = [];
    for (const channel of [...changed, ...this.#unwritten(ns, checkpoint)]) {
      if (graph?.names ? !graph.names.has(channel) : !isState(channel)) continue;
      if (own(values, channel)) shown[channel] = (values[channel]?.lg_name === "DeltaSnapshot" ? values[channel].value : values[channel]) ?? null;
      else if (isDelta(graph?.specs?.[channel])) deltas.push(channel);
      else gone.push(channel);
    }
    const text = stringify({
      values: shown, ...(gone.length > 0 && { gone }), source: metadata?.source ?? "loop", step: metadata?.step ?? 0,
      parents: metadata?.parents ?? {}, created_at: checkpoint.ts,
    });
    return { text, deltas, specs: graph?.specs };
  }

  // Channels that have a default are shown from the start, though nobody wrote to them.
  #unwritten(ns, { channel_values: values = {}, channel_versions: versions = {} }) {
    if (this.#shown.has(ns)) return [];
    this.#shown.add(ns);
    return Object.keys(values).filter((channel) => !own(versions, channel));
  }

  // The value of delta channels at a checkpoint that is about to be put on `parent`.
  async #replayed(view, ns, parent, channels, specs) {
    const history = parent ? await this.#history(this.#thread, ns, parent, channels, (body) => this.#call(body)) : {};
    for (const channel of channels) {
      const { seed, writes = [] } = history[channel] ?? {};
      const spec = specs[channel].fromCheckpoint(seed);
      spec.replayWrites(writes);
      try { view.values[channel] = spec.get(); } catch { (view.gone ??= []).push(channel); }
    }
    return view;
  }

  async putWrites(config, writes, taskId, taskPath) {
    const { thread, ns, id } = this.#place(config, "put writes");
    if (id === undefined) throw new Error('Failed to put writes: the config has no "checkpoint_id" in its "configurable"');
    const packed = writes.map(async ([channel, value], i) => ({ idx: PLACES[channel] ?? i, channel, ...pack(await this.serde.dumpsTyped(value)) }));
    const interrupts = plain(writes.filter(([channel]) => channel === INTERRUPT).flatMap(([, value]) => value));
    const group = Promise.all(packed).then((all) => ({
      ns, id, task_id: taskId, task_path: taskPath ?? "", writes: all, ...(interrupts.length > 0 && { interrupts }),
    }));
    group.catch(() => {});
    await this.#write({ group, key: thread, of: this.#of(thread) });
  }

  async deleteThread(threadId) {
    if (this.#thread !== undefined) throw new Error("a task may not delete its thread; delete it through the server's API");
    await this.#read({ op: "delete_thread", thread_id: String(threadId) });
  }

  async getDeltaChannelHistory({ config, channels }) {
    if (channels.length === 0) return {};
    const { thread, ns } = this.#place(config);
    const parent = (await this.getTuple(config))?.parentConfig?.configurable.checkpoint_id;
    return this.#history(thread, ns, parent, channels);
  }

  // Walks from a checkpoint up its parents to the nearest stored value of each channel.
  // Ancestors are older, so pages of the list hold them; those of other branches are passed by.
  async #history(thread, ns, start, channels, ask = (body) => this.#read(body)) {
    const found = new Map(channels.map((c) => [c, { writes: [] }])), open = new Set(channels);
    let next = start;
    const visit = (tuple) => {
      const mine = (tuple.pendingWrites ?? []).filter(([, channel]) => open.has(channel)).reverse();
      for (const write of mine) found.get(write[1]).writes.push(write);
      for (const channel of [...open]) {
        if (!own(tuple.checkpoint.channel_values, channel)) continue;
        found.get(channel).seed = tuple.checkpoint.channel_values[channel];
        open.delete(channel);
      }
      next = tuple.parentConfig?.configurable.checkpoint_id;
    };
    const first = next && (await ask({ op: "get", ...this.#of(thread), ns, id: next })).found;
    if (first) visit(await this.#tuple(first, thread, ask)); else next = undefined;
    for (let before = start; next && open.size > 0;) {
      const answer = await ask({ op: "list", ...this.#of(thread), ns, before, limit: PAGE });
      for (const item of answer.items) if (item.id === next && open.size > 0) visit(await this.#tuple(item, thread, ask));
      if (answer.next === undefined || answer.next === null) break;
      before = answer.next;
    }
    for (const entry of found.values()) entry.writes.reverse();
    return Object.fromEntries(found);
  }

  /** Greater than the last, and never the same in two branches of a thread. */
  getNextVersion(current) {
    return (typeof current === "number" ? Math.floor(current) : 0) + 1 + Math.random() / 2;
  }
}
