// cohort.rs - include/cohort_guest.h for guests in Rust: what the host gives, without
// `unsafe` where it is used, and enough of JSON to read a message.  A guest says
//
//     mod cohort;
//     #[no_mangle]
//     pub extern "C" fn handle_message(p: *const u8, n: u32) -> i32 {
//         cohort::handle(p, n, |message| { ...; Ok(()) })
//     }
//
// SPDX-License-Identifier: MIT
#![allow(dead_code)]

mod host {
    #[link(wasm_import_module = "cohort")]
    extern "C" {
        pub fn log(level: i32, p: *const u8, n: u32);
        pub fn now_ms() -> i64;
        pub fn send(p: *const u8, n: u32) -> i32;
        pub fn reply(p: *const u8, n: u32) -> i32;
        pub fn store_get(key: *const u8, key_n: u32, out: *mut u8, cap: u32) -> i32;
        pub fn store_put(key: *const u8, key_n: u32, value: *const u8, value_n: u32) -> i32;
        pub fn tool_call(name: *const u8, name_n: u32, args: *const u8, args_n: u32, out: *mut u8, cap: u32) -> i32;
    }
}

pub const ENOENT: i32 = -1; // there is no such thing
pub const EDENIED: i32 = -2; // it is not allowed
pub const EINVAL: i32 = -3; // a pointer, a length, a text that is no JSON
pub const ETOOBIG: i32 = -4; // over a limit
pub const EAGAIN: i32 = -5; // not now
pub const EFAIL: i32 = -6; // it was done, and failed

// A code of the host, and its words where it gave some.
pub struct Error(pub i32, pub String);

fn result(code: i32) -> Result<(), Error> {
    if code < 0 { Err(Error(code, String::new())) } else { Ok(()) }
}

// Bytes for a message; they are kept for the next one.
static mut MESSAGE: Vec<u8> = Vec::new();

#[no_mangle]
pub extern "C" fn alloc(n: u32) -> *mut u8 {
    let room = unsafe { &mut *std::ptr::addr_of_mut!(MESSAGE) };
    room.resize(n as usize, 0);
    room.as_mut_ptr()
}

// Runs f with the message; an error of f is the call's result, so the message comes again.
pub fn handle(p: *const u8, n: u32, f: impl FnOnce(Json) -> Result<(), Error>) -> i32 {
    let bytes = unsafe { std::slice::from_raw_parts(p, n as usize) };
    match std::str::from_utf8(bytes) {
        Ok(text) => match f(Json(text.trim())) {
            Ok(()) => 0,
            Err(Error(code, words)) => {
                log(2, &words);
                code
            }
        },
        Err(_) => EINVAL,
    }
}

// level: 0 debug, 1 info, 2 warning, 3 error.
pub fn log(level: i32, text: &str) {
    unsafe { host::log(level, text.as_ptr(), text.len() as u32) }
}

pub fn now_ms() -> i64 {
    unsafe { host::now_ms() }
}

pub fn send(json: &str) -> Result<(), Error> {
    result(unsafe { host::send(json.as_ptr(), json.len() as u32) })
}

pub fn reply(json: &str) -> Result<(), Error> {
    result(unsafe { host::reply(json.as_ptr(), json.len() as u32) })
}

pub fn store_put(key: &str, json: &str) -> Result<(), Error> {
    result(unsafe { host::store_put(key.as_ptr(), key.len() as u32, json.as_ptr(), json.len() as u32) })
}

// Calls with a buffer, and once more with a larger one if the answer did not fit.  Only for
// what may be done twice.
fn read(mut call: impl FnMut(*mut u8, u32) -> i32) -> Result<String, Error> {
    let mut out = vec![0u8; 4096];
    let mut n = call(out.as_mut_ptr(), out.len() as u32);
    if n > out.len() as i32 {
        out.resize(n as usize, 0);
        n = call(out.as_mut_ptr(), out.len() as u32);
    }
    result(n)?;
    out.truncate(n as usize);
    String::from_utf8(out).map_err(|_| Error(EINVAL, String::new()))
}

// None: there is no such key.
pub fn store_get(key: &str) -> Result<Option<String>, Error> {
    match read(|out, cap| unsafe { host::store_get(key.as_ptr(), key.len() as u32, out, cap) }) {
        Ok(json) => Ok(Some(json)),
        Err(Error(ENOENT, _)) => Ok(None),
        Err(e) => Err(e),
    }
}

// The answer, cut at 64 KB: a tool is not called twice to see the rest.  A tool that failed
// says why in out, which ends with zeros.
pub fn tool_call(name: &str, args: &str) -> Result<String, Error> {
    let mut out = vec![0u8; 65536];
    let n = unsafe {
        host::tool_call(name.as_ptr(), name.len() as u32, args.as_ptr(), args.len() as u32,
            out.as_mut_ptr(), out.len() as u32)
    };
    let end = if n < 0 { out.iter().position(|b| *b == 0).unwrap_or(out.len()) } else { (n as usize).min(out.len()) };
    out.truncate(end);
    let text = String::from_utf8_lossy(&out).into_owned();
    if n < 0 { Err(Error(n, text)) } else { Ok(text) }
}

// A value as it stands in a text.  The host gives valid JSON, so little is checked.
#[derive(Clone, Copy)]
pub struct Json<'a>(pub &'a str);

// Bytes of the value that s begins with.
fn extent(s: &str) -> usize {
    let (mut open, mut quoted, mut escaped) = (0, false, false);
    for (i, c) in s.bytes().enumerate() {
        if quoted {
            quoted = escaped || c != b'"';
            escaped = !escaped && c == b'\\';
            if !quoted && open == 0 {
                return i + 1;
            }
            continue;
        }
        match c {
            b'"' => quoted = true,
            b'{' | b'[' => open += 1,
            b'}' | b']' if open == 1 => return i + 1,
            b'}' | b']' if open == 0 => return i,
            b'}' | b']' => open -= 1,
            b',' | b' ' | b'\n' | b'\t' | b'\r' if open == 0 => return i,
            _ => (),
        }
    }
    s.len()
}

impl<'a> Json<'a> {
    // A member of an object.  Names are compared as they stand, without escapes.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        let mut rest = self.0.strip_prefix('{')?;
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            let n = extent(rest);
            let is = rest.get(1..n.checked_sub(1)?)? == name;
            rest = rest[n..].trim_start().strip_prefix(':')?.trim_start();
            let n = extent(rest);
            if is {
                return Some(Json(&rest[..n]));
            }
            rest = &rest[n..];
        }
    }

    pub fn int(self) -> Option<i64> {
        self.0.parse().ok()
    }

    // Of a string: its characters.
    pub fn string(self) -> Option<String> {
        let inside = self.0.strip_prefix('"')?.strip_suffix('"')?;
        let (mut out, mut rest) = (String::new(), inside.chars());
        while let Some(c) = rest.next() {
            let c = if c == '\\' { rest.next()? } else { out.push(c); continue };
            out.push(match c {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let mut code = u32::from_str_radix(rest.as_str().get(..4)?, 16).ok()?;
                    rest.nth(3);
                    if (0xd800..0xdc00).contains(&code) {
                        let low = u32::from_str_radix(rest.as_str().get(2..6)?, 16).ok()?;
                        code = 0x10000 + ((code & 0x3ff) << 10 | low & 0x3ff);
                        rest.nth(5);
                    }
                    char::from_u32(code)?
                }
                other => other,
            });
        }
        Some(out)
    }
}

// A string as JSON.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}
