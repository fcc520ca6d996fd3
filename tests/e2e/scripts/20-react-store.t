# 20-react-store  The model stores a note and finds it again; the note is in /store too.
model   for "remember" call store_put {"namespace": ["users", "ann"], "key": "tea", "value": {"likes": "green tea"}}
model   for tool "Stored" call store_search {"namespace": ["users"], "query": "green"}
model   for tool "green tea" reply "You like green tea."
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "remember" {"stream_mode": ["updates"]} as s
        -> event metadata,
        event updates, .agent.messages.0.tool_calls.0.name == "store_put",
        event updates, .tools.messages.0.content has "Stored", .tools.messages.0.status == "success",
        event updates, .agent.messages.0.tool_calls.0.name == "store_search",
        event updates, .tools.messages.0.content has "green tea",
        event updates, .agent.messages.0.content == "You like green tea.",
        event end, end
get     /threads/$t/state
        -> 200, .values.messages.*.type == ["human", "ai", "tool", "ai", "tool", "ai"], .next == []
get     /store/items?namespace=users.ann&key=tea -> 200, .value == {"likes": "green tea"}
post    /store/items/search {"namespace_prefix": ["users"]} -> 200, .items.*.key == ["tea"]
# each superstep is a checkpoint: input, loop, and one a node
get     /threads/$t/history -> 200, .*.metadata.step == [5, 4, 3, 2, 1, 0, -1],
        .*.next == [[], ["agent"], ["tools"], ["agent"], ["tools"], ["agent"], ["__start__"]]
log     lacks " error "
