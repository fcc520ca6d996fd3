# 12-if-not-exists  A run can make its thread; it stays, and the second run finds it.
server  start
post    /threads/019430d0-0000-7000-8000-000000000001/runs/wait say "one" -> 404
post    /threads/019430d0-0000-7000-8000-000000000001/runs/wait say "one"
        {"if_not_exists": "create", "metadata": {"user": "ann", "graph_id": "forged"}}
        -> 200, .messages.length == 2
post    /threads/019430d0-0000-7000-8000-000000000001/runs/wait say "two" {"if_not_exists": "create"}
        -> 200, .messages.length == 4, .messages.2.content == "two"
get     /threads/019430d0-0000-7000-8000-000000000001 -> 200, .status == "idle", .values.messages.length == 4,
        .metadata.user == "ann", .metadata.graph_id == "agent"
get     /threads/019430d0-0000-7000-8000-000000000001/runs -> 200, .*.status == ["success", "success"]
