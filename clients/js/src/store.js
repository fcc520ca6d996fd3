// store.js - the long-term store of a task: LangGraph's BaseStore over the owner's items.
import { langgraph } from "./langgraph.js";

const { BaseStore } = await langgraph();

const match = (conditions, type) => conditions?.find((c) => c.matchType === type)?.path;

function operation(op) {
  if ("namespacePrefix" in op)
    return { op: "search", namespace: op.namespacePrefix, filter: op.filter, query: op.query, limit: op.limit ?? 10, offset: op.offset ?? 0 };
  if ("value" in op) return { op: "put", namespace: op.namespace, key: op.key, value: op.value, index: op.index, ttl: op.ttl };
  if ("key" in op) return { op: "get", namespace: op.namespace, key: op.key };
  return {
    op: "namespaces", prefix: match(op.matchConditions, "prefix"), suffix: match(op.matchConditions, "suffix"),
    max_depth: op.maxDepth, limit: op.limit ?? 100, offset: op.offset ?? 0,
  };
}

function item(found) {
  if (!found) return null;
  return {
    namespace: found.namespace, key: found.key, value: found.value,
    createdAt: new Date(found.created_at), updatedAt: new Date(found.updated_at),
    ...(found.score !== undefined && found.score !== null && { score: found.score }),
  };
}

export class RemoteStore extends BaseStore {
  #call;

  /** call(body): one call of the task's store. */
  constructor({ call }) {
    super();
    this.#call = call;
  }

  async batch(operations) {
    if (operations.length === 0) return [];
    const ops = operations.map(operation);
    const { results } = await this.#call({ ops });
    return ops.map(({ op }, i) => {
      if (op === "get") return item(results[i]);
      if (op === "search") return (results[i] ?? []).map(item);
      return op === "put" ? undefined : results[i] ?? [];
    });
  }
}
