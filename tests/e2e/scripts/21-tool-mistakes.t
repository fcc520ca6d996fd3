# 21-tool-mistakes  What the model gets wrong it is told, call by call, and the run goes on.
model   for "unknown" call launch_rocket {"to": "moon"}
model   for tool "launch_rocket" reply "I have no rockets."
model   for "wrong" call store_put {"namespace": ["a"], "key": 5, "value": {}}
model   for tool "key" reply "The key was wrong."
model   for "mixed" call current_time {} call store_put {"namespace": ["a.b"], "key": "k", "value": {}}
model   for tool "periods" reply "One of two."
server  start
post    /runs/wait say "unknown"
        -> 200, .messages.2.status == "error", .messages.2.content has "launch_rocket",
        .messages.2.content has "store_put", .messages.-1.content == "I have no rockets."
post    /runs/wait say "wrong"
        -> 200, .messages.2.status == "error", .messages.2.content has "key",
        .messages.2.content has "string", .messages.-1.content == "The key was wrong."
# two calls of one answer: each has a result of its own, in their order
post    /runs/wait say "mixed"
        -> 200, .messages.*.type == ["human", "ai", "tool", "tool", "ai"],
        .messages.2.name == "current_time", .messages.2.status == "success",
        .messages.3.name == "store_put", .messages.3.status == "error",
        .messages.-1.content == "One of two."
# arguments that are no JSON at all are kept, with the reason, and nothing is called
post    /runs/wait say "mock:bad-args"
        -> 200, .messages.1.invalid_tool_calls.length == 1, .messages.1.tool_calls == []
log     lacks " error "
