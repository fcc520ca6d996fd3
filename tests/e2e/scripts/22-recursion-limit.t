# 22-recursion-limit  A model that never stops calling tools is stopped; the thread keeps what was done.
model   call current_time {}
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "loop" {"config": {"recursion_limit": 4}}
        -> 200, .__error__.error == "GraphRecursionError", .__error__.message has "limit of 4"
get     /threads/$t -> 200, .status == "error"
get     /threads/$t/runs -> 200, .*.status == ["error"]
get     /threads/$t/state -> 200, .values.messages.*.type == ["human", "ai", "tool", "ai", "tool"]
# with a higher limit it goes on where it stopped
post    /threads/$t/runs/wait {"assistant_id": "agent", "config": {"recursion_limit": 2}}
        -> 200, .__error__.error == "GraphRecursionError"
get     /threads/$t/state -> 200, .values.messages.length == 7
# the default is LangGraph's 25
post    /runs/wait say "loop" -> 200, .__error__.message has "limit of 25"
log     lacks " error "
