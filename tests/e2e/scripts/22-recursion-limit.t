# 22-recursion-limit  A model that never stops calling tools is stopped; the thread keeps what was done.
model   call current_time {}
model   for "plain" reply "so be it"
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "loop" {"config": {"recursion_limit": 4}}
        -> 200, .__error__.error == "GraphRecursionError", .__error__.message has "limit of 4"
get     /threads/$t -> 200, .status == "error"
get     /threads/$t/runs -> 200, .*.status == ["error"]
get     /threads/$t/state -> 200, .values.messages.*.type == ["human", "ai", "tool", "ai", "tool"]
# without input it goes on where it stopped; what input takes, two steps, is free
post    /threads/$t/runs/wait {"assistant_id": "agent", "config": {"recursion_limit": 2}}
        -> 200, .__error__.error == "GraphRecursionError"
get     /threads/$t/state -> 200, .values.messages.length == 9
# as LangGraph counts, the step that ends is one: a model that only answers needs two
post    /runs/wait say "plain" {"config": {"recursion_limit": 1}} -> 200, .__error__.error == "GraphRecursionError"
post    /runs/wait say "plain" {"config": {"recursion_limit": 2}} -> 200, .messages.-1.content == "so be it"
# the default is LangGraph's 25
post    /runs/wait say "loop" -> 200, .__error__.message has "limit of 25"
log     lacks " error "
