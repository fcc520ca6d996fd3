/** The work tracker, over its daemon's socket. */
export class WorkError extends Error { code?: string; data?: unknown; }

export interface CallOptions {
  /** A key under which the call counts once. */
  once?: string;
  /** Told how far a long operation is. */
  progress?: (progress: { done: number; total: number }) => void;
  actor?: string;
}

export interface Tracker {
  call(operation: string, args?: object, options?: CallOptions): Promise<any>;
  /** All or nothing; `{"$ref": 0}` in args is the id of an earlier result. */
  batch(operations: ({ operation: string; args?: object } | [string, object?])[], options?: CallOptions & { partial?: boolean }): Promise<any>;
  /** Milliseconds that each later call may take; 0: for ever. */
  set_timeout(ms: number): void;
  close(): void;
}

export function connect(options?: { dir?: string; socket?: string; actor?: string; timeout?: number }): Promise<Tracker>;
