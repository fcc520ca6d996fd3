// work-git-lib.mjs - clones of one repository, each a workspace of the tracker.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { scratch } from "./lib.mjs";
import { workspace } from "./work-lib.mjs";

export { workspace };
const home = scratch();
export const env = { HOME: home, GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "t", GIT_AUTHOR_EMAIL: "t@example.org", GIT_COMMITTER_NAME: "t", GIT_COMMITTER_EMAIL: "t@example.org" };
export const git = (dir, ...args) => execFileSync("git", args, { cwd: dir, env: { PATH: process.env.PATH, ...env }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

// A bare repository with one commit, and clones of it, each a workspace.
export function clones(n, options = {}) {
  const root = scratch();
  git(root, "init", "-q", "--bare", "-b", "main", "remote.git");
  const list = [];
  for (let i = 0; i < n; i++) {
    const dir = path.join(root, `clone${i}`);
    git(root, "clone", "-q", "remote.git", dir);
    if (i === 0) {
      writeFileSync(path.join(dir, "code.txt"), "1\n");
      git(dir, "checkout", "-q", "-B", "main");
      git(dir, "add", ".");
      git(dir, "commit", "-q", "-m", "first");
      git(dir, "push", "-q", "-u", "origin", "main");
    }
    list.push(workspace({ dir, env, ...options }));
  }
  return list;
}
