// plain.js - values as the plain JSON that LangGraph's own server sends: a message is
// its fields with its type among them, everything else is what JSON.stringify makes of
// it (a Send and a Command by their toJSON, a Date as text, a Map, a Set and an Error
// as objects without members).

function flat(holder, key, value) {
  const raw = holder[key];
  if (raw !== null && typeof raw === "object" && typeof raw.toDict === "function") {
    const { type, data } = raw.toDict();
    return { ...data, type };
  }
  return typeof value === "bigint" ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value;
}

// What holds itself is cut where it comes round again, as LangGraph's serialiser does.
function withoutCycles(value) {
  const above = [];
  return JSON.stringify(value, function (key, given) {
    const next = flat(this, key, given);
    if (next === null || typeof next !== "object") return next;
    while (above.length > 0 && above.at(-1) !== this) above.pop();
    if (above.includes(next)) return "[Circular]";
    above.push(next);
    return next;
  });
}

/** The JSON text of a value. */
export function stringify(value) {
  try {
    return JSON.stringify(value, function (key, given) { return flat(this, key, given); });
  } catch (error) {
    if (!(error instanceof TypeError) || !/circular|cyclic/i.test(error.message)) throw error;
    return withoutCycles(value);
  }
}

/** The value as plain JSON data; undefined is null. */
export function plain(value) {
  return value === undefined ? null : JSON.parse(stringify(value) ?? "null");
}

/** An error as the server shows it: its name and its message. */
export function plainError(error) {
  if (error instanceof Error) return { type: error.name || "Error", message: String(error.message), retryable: error.retryable === true };
  let message;
  try { message = typeof error === "string" ? error : stringify(error) ?? String(error); } catch { message = String(error); }
  return { type: "Error", message, retryable: false };
}
