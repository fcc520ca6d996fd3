/** What a program imports to be a worker of a Cohort server. */

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/** Where things happen: the user, the thread, the run, and how to speak while working. */
export interface WorkContext {
  /** The task as the server gave it. */
  task: Record<string, any>;
  input?: any;
  state?: Record<string, any>;
  config: Record<string, any>;
  context: Record<string, any>;
  user?: { identity: string; [key: string]: any };
  threadId?: string;
  runId?: string;
  /** A tool: the id of the model's call. */
  callId?: string;
  /** The id under which pieces of text are told. */
  messageId: string;
  /** The same in every attempt of this piece of work: for what may happen once only. */
  key: string;
  /** 1 at first; more when a worker before this one was lost. */
  attempt: number;
  /** Aborted when the run is cancelled or the task was given to another worker. */
  signal: AbortSignal;
  store: {
    get(namespace: string[], key: string): Promise<any | null>;
    put(namespace: string[], key: string, value: object, options?: { index?: false | string[]; ttl?: number }): Promise<void>;
    delete(namespace: string[], key: string): Promise<void>;
    search(namespace: string[], options?: { filter?: object; query?: string; limit?: number; offset?: number }): Promise<any[]>;
    namespaces(options?: { prefix?: string[]; suffix?: string[]; maxDepth?: number; limit?: number; offset?: number }): Promise<string[][]>;
  };
  /** Sends an event to the clients that stream the run: "custom" with data, "messages" with a piece of text or a message. */
  emit(mode: "custom" | "messages" | "updates", data: any): Promise<void>;
  log(text: string, fields?: Record<string, unknown>): void;
}

export interface NodeOptions {
  description?: string;
  /** JSON Schema, or a schema of zod, of what the node takes. */
  schema?: unknown;
  /** Seconds, or "30s", "500ms", "2m". */
  timeout?: number | string;
  /** It may run again when nobody knows whether it ran. */
  idempotent?: boolean;
}

export type Work<In = any, Out = any> = (input: In, ctx: WorkContext) => Out | Promise<Out>;

/** A node of charts and graphs: `worker: NAME` in the agent's file. */
export function node<F extends Work>(name: string, fn: F, options?: NodeOptions): F;
/** A tool for agents of the server: by a function, or a tool of LangChain. */
export function tool<F extends Work>(name: string, fn: F, options?: NodeOptions): F;
export function tool(langchainTool: { name: string; invoke: Function }, options?: NodeOptions & { name?: string }): Work;
/** An agent of one function, in any framework. */
export function run<F extends Work>(name: string, fn: F, options?: { description?: string; schemas?: Record<string, unknown> }): F;

export interface ServeOptions {
  /** http://HOST:PORT, https://HOST or unix:/PATH (COHORT_URL). */
  url?: string;
  /** A key of scope `worker` (COHORT_KEY). */
  key?: string;
  name?: string;
  /** Runs stay with the build they began on (COHORT_BUILD; a hash of the program's sources). */
  build?: string;
  slots?: { run?: number; node?: number };
  descriptions?: Record<string, string>;
  /** false: the program handles SIGTERM and SIGINT itself. */
  signals?: boolean;
  drainMs?: number;
  log?: false | ((level: "info" | "warning" | "error", text: string, fields?: Record<string, unknown>) => void);
  /** Aborted: the worker drains. */
  signal?: AbortSignal;
}

export interface Worker {
  readonly id: string | undefined;
  /** How many tasks are under way. */
  readonly busy: number;
  /** Resolves when the worker has left; with the error that ended it, if one did. */
  readonly done: Promise<Error | undefined>;
  /** Takes nothing new, finishes what is under way, leaves. */
  drain(why?: string): Promise<Error | undefined>;
  /** Leaves at once. */
  stop(): Promise<Error | undefined>;
}

/** Compiled or not, an agent of createAgent, or a function of the run's config that returns one. */
export type Graph = object | ((config: any, runtime?: any) => any);

/** Serves graphs, and what node(), tool() and run() defined. */
export function serve(graphs?: Record<string, Graph>, options?: ServeOptions): Promise<Worker>;

export class WireError extends Error { status: number; reason?: string; path?: string; }
export class LostLease extends Error {}
export class Cancelled extends Error { action: "interrupt" | "rollback"; }
