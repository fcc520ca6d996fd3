// lease.js - a task that this worker holds: its token, its signal, its events on their way,
// and the sign of life that keeps it.
import { stringify } from "./plain.js";
import { LostLease, WireError, sleep } from "./wire.js";

const BATCH_MS = 20;
const BATCH_BYTES = 64 * 1024;
const QUEUE_BYTES = 1024 * 1024;

/** The run was cancelled; the node's signal has this as its reason. */
export class Cancelled extends Error {
  constructor(action, reason) {
    super(reason ? `cancelled: ${reason}` : "cancelled");
    this.name = "AbortError";
    this.action = action;
  }
}

export class Lease {
  #wire; #abort = new AbortController(); #beat; #heard = performance.now();
  #queue = []; #bytes = 0; #n = 0; #sending; #sent = -Infinity; #room = []; #holdUntil = 0; #failed;

  constructor(wire, task, { beatMs = 5000, patienceMs = 30000 } = {}) {
    this.#wire = wire;
    this.task = task;
    this.patienceMs = patienceMs;
    this.signal = this.#abort.signal;
    this.#beat = setInterval(() => {
      if (performance.now() - this.#heard >= beatMs * 0.8 && !this.#sending) this.#post("events", { events: [] }).catch((e) => this.fail(e));
    }, beatMs);
  }

  get lost() { return this.signal.reason instanceof LostLease; }
  get cancelled() { return this.signal.reason instanceof Cancelled; }

  /** Stops the task's work: what it does from here on is thrown away. */
  fail(error) { if (!this.signal.aborted) this.#abort.abort(error instanceof LostLease ? error : new LostLease(error.message)); }
  cancel(action, reason) { if (!this.signal.aborted) this.#abort.abort(new Cancelled(action ?? "interrupt", reason)); }

  close() { clearInterval(this.#beat); }

  async #post(verb, body) {
    if (this.lost) throw this.signal.reason;
    try {
      const answer = await this.#wire.request("POST", `/tasks/${encodeURIComponent(this.task.task_id)}/${verb}`, body, { token: this.task.token, patienceMs: this.patienceMs });
      this.#heard = performance.now();
      if (answer.cancel) this.cancel(answer.cancel.action, answer.cancel.reason);
      if (answer.wait_ms > 0) this.#holdUntil = performance.now() + answer.wait_ms;
      return answer;
    } catch (error) {
      if (error instanceof LostLease || error.status === 404) this.fail(error);
      throw error;
    }
  }

  saver = (body) => this.#post("saver", body);
  store = (body) => this.#post("store", body);

  /**
   * The end of the task: once, after all that was emitted.  What the server does not take
   * (too much, or no JSON it knows) ends the task with its refusal.
   */
  async end(body) {
    try {
      await this.flush();
      return await this.#post("end", body);
    } catch (error) {
      if (!(error instanceof WireError) || error.status === 404 || error.status === 409) throw error;
      return this.#post("end", { status: "error", error: { type: error.name, message: error.message, retryable: false } });
    }
  }

  /**
   * Tells an event.  Resolves at once while there is room; waits for the server when it
   * asks for patience or much is on its way.
   */
  async emit(mode, data, ns = []) {
    if (this.lost) throw this.signal.reason;
    if (this.#failed) throw this.#failed;
    const text = `{"n":${++this.#n},"ns":${JSON.stringify(ns)},"mode":${JSON.stringify(mode)},"data":${stringify(data) ?? "null"}}`;
    this.#queue.push(text);
    this.#bytes += text.length;
    // Somebody waits for the first word of a message; the others may come together.
    if (mode === "messages" && data.length > 1) this.#urgent = true;
    if (this.#urgent || this.#bytes >= BATCH_BYTES) this.#hurry?.();
    this.#sending ??= this.#send();
    while (this.#bytes > QUEUE_BYTES || this.#holdUntil > performance.now()) {
      if (this.#failed) throw this.#failed;
      await (this.#bytes > QUEUE_BYTES ? new Promise((r) => this.#room.push(r)) : sleep(this.#holdUntil - performance.now(), this.signal));
    }
  }

  async flush() {
    while (this.#sending) { this.#hurry?.(); await this.#sending; }
    if (this.#failed) throw this.#failed;
  }

  #hurry; #urgent = false;

  // The first event, and that of a message, goes at once; the next ones are collected for
  // 20 ms or 64 KiB.
  async #send() {
    try {
      await undefined;
      while (this.#queue.length > 0) {
        const wait = this.#sent + BATCH_MS - performance.now();
        if (wait > 0 && !this.#urgent && this.#bytes < BATCH_BYTES) {
          await new Promise((resolve) => { const timer = setTimeout(resolve, wait); this.#hurry = () => { clearTimeout(timer); resolve(); }; });
          this.#hurry = undefined;
        }
        if (this.#holdUntil > performance.now()) await sleep(this.#holdUntil - performance.now());
        this.#urgent = false;
        let size = 0, many = 0;
        while (many < this.#queue.length && many < 1000 && (many === 0 || size + this.#queue[many].length <= BATCH_BYTES)) size += this.#queue[many++].length;
        const events = this.#queue.splice(0, many);
        this.#sent = performance.now();
        await this.#post("events", `{"events":[${events.join(",")}]}`);
        this.#bytes -= size;
        for (const go of this.#room.splice(0)) go();
      }
    } catch (error) {
      this.#failed = error;
      for (const go of this.#room.splice(0)) go();
    } finally {
      this.#sending = undefined;
    }
  }
}
