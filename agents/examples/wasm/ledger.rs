// ledger.rs - a guest in Rust: it keeps a sum in the store, and uses a tool of the server.
//
//     {"content": {"add": 5}}            ->  {"content": {"sum": 5}}
//     {"content": {"add": "6 * 7"}}      ->  {"content": {"sum": 47}}   by the tool `calculate`
//     {"content": "6 * 7"}               ->  the same: what an assistant is told
//     {"content": {"tell": "ann"}}       ->  the same, and a letter to ann: {"sum": 47}
//
// The sum is in the store before the answer leaves.  Two agents have two sums.
//
// SPDX-License-Identifier: MIT
mod cohort;

use cohort::{Error, Json};

const KEY: &str = "sum";

fn sum() -> Result<i64, Error> {
    let kept = cohort::store_get(KEY)?;
    Ok(kept.and_then(|json| Json(&json).int()).unwrap_or(0))
}

// A number, or an expression that the tool works out.
fn amount(of: Json) -> Result<Option<i64>, Error> {
    if let Some(n) = of.int() {
        return Ok(Some(n));
    }
    let text = match of.string() {
        Some(text) => text,
        None => return Ok(None),
    };
    let args = format!("{{\"expression\":{}}}", cohort::quoted(&text));
    let answer = cohort::tool_call("calculate", &args)?;
    let value = Json(answer.trim());
    Ok(value.int().or_else(|| value.string().and_then(|s| s.parse().ok())))
}

fn refuse(why: &str) -> Result<(), Error> {
    cohort::reply(&format!("{{\"performative\":\"refuse\",\"content\":{}}}", cohort::quoted(why)))
}

fn handle(message: Json) -> Result<(), Error> {
    let content = message.get("content").unwrap_or(Json("null"));
    let mut total = sum()?;

    if let Some(of) = content.get("add").or(if content.0.starts_with('"') { Some(content) } else { None }) {
        match amount(of) {
            Ok(Some(n)) => total = total.wrapping_add(n),
            Ok(None) => return refuse("add: expected a whole number, or an expression that is one"),
            Err(Error(cohort::EFAIL, words)) => return refuse(&words),
            Err(e) => return Err(e),
        }
        cohort::store_put(KEY, &total.to_string())?;
    }
    if let Some(to) = content.get("tell").and_then(Json::string) {
        cohort::send(&format!("{{\"to\":{},\"performative\":\"inform\",\"content\":{{\"sum\":{}}}}}",
            cohort::quoted(&to), total))?;
    }
    cohort::log(1, &format!("the sum is {} at {}", total, cohort::now_ms()));
    cohort::reply(&format!("{{\"content\":{{\"sum\":{}}}}}", total))
}

#[no_mangle]
pub extern "C" fn handle_message(p: *const u8, n: u32) -> i32 {
    cohort::handle(p, n, handle)
}
