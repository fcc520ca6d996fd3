# 51-no-retry  What would not get better is not asked again; what a client has heard is not unsaid.
model   for "mock:resetx1" reply "one two three four"
model   for "mock:reset" reply "one two three four"
model   reply "five"
server  start
post    /runs/wait say "mock:401" -> 200, .__error__.error == "AuthenticationError", .__error__.message lacks "sk-test"
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "mock:resetx1" {"stream_mode": ["messages-tuple"]} as s
        -> event metadata, text "one two", event error, .error == "APIConnectionError", end
log     lacks "llm retry"
# the thread shows what failed, and keeps what the model had said
get     /threads/$t -> 200, .status == "error"
get     /threads/$t/state -> 200, .next == ["agent"], .tasks.0.error has "APIConnectionError",
        .values.messages.*.type == ["human", "ai"], .values.messages.1.content == "one two",
        .values.messages.1.response_metadata.finish_reason == "interrupted", .values.messages.1.tool_calls == []
# a run without input asks the failed node again, also after a restart
server  kill
server  start
post    /threads/$t/runs/wait {"assistant_id": "agent"}
        -> 200, .messages.*.content == ["mock:resetx1", "one two", "five"]
get     /threads/$t -> 200, .status == "idle"
server  stop
# where it is not to be kept, it is gone
server  start --keep-partial=false
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "mock:reset" {"stream_mode": ["messages-tuple"]} as s
        -> event metadata, text "one two", event error, .error == "APIConnectionError", end
get     /threads/$t/state -> 200, .next == ["agent"], .values.messages.*.type == ["human"]
